//! Serves an nfs4 node over TCP on plain threads.
