//! A data folder of our own making, in both layouts.
