//! Ready-made file systems for the nfs4 engine.
