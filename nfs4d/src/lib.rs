//! An NFSv4 server that starts with one command.
