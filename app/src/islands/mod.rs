//! The only code that becomes WebAssembly: what HTML cannot do by itself. Every page works without it.

mod countdown;
mod keys;
mod live;
mod palette;
mod zone;

pub use countdown::Countdown;
pub use keys::Keys;
pub use live::LiveRegion;
pub use palette::Palette;
pub use zone::Zone;
