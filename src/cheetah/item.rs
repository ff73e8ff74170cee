//! What a template is made of: texts, placeholders and directives, in the order in which they stand there.

use super::expr::Expr;

#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Where it begins, in bytes.
    pub at: usize,
    pub what: What,
    /// It has its line for itself, which leaves nothing behind.
    pub is_alone: bool,
    /// The blanks in front of it there.
    pub indent: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// As it is to come out.
    Text(String),
    /// As it is written, for a name that nobody knows: Cobbler lets that stand.
    Placeholder(Expr, String),
    /// `@@name@@`, which Cobbler fills in last.
    Late(String),
    If(Expr),
    Elif(Expr),
    Else,
    End(Block),
    For(Vec<Expr>, Expr),
    Set {
        target: Vec<Expr>,
        sign: &'static str,
        value: Expr,
        is_global: bool,
    },
    Attribute(String, Expr),
    Macro(String, Vec<(String, Option<Expr>)>),
    Echo(Expr),
    Silent(Expr),
    OneLine(Expr, Expr, Expr),
    Break,
    Continue,
    Comment(String),
    /// Python modules: those without a counterpart are told where they are used.
    Import(String),
    Nothing,
    Raw(String),
    /// It can not be converted: what it says, and why.
    Bad(String, String),
}

/// What an `#end` closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    If,
    /// The same behind its `#else`.
    LastWay,
    For,
    Macro,
    /// Of what is not converted, or leaves nothing: its end is nothing, too.
    Other,
}
