//! The only code that becomes WebAssembly: what HTML cannot do by itself. Every page works without it.

mod keys;
mod live;
mod palette;

pub use keys::Keys;
pub use live::LiveRegion;
pub use palette::Palette;
