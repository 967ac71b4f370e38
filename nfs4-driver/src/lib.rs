//! What every transport of the nfs4 engine needs and that is not socket code.
