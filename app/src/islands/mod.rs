//! The only code that becomes WebAssembly: what HTML cannot do by itself.
