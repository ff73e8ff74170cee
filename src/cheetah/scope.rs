//! Which variables outlive the loop that sets them: Python's do, those of our templates need a namespace for it.

use super::expr::Expr;
use super::item::{Block, Item, What};
use std::collections::BTreeSet;

/// The names that must be kept in a namespace.
pub fn kept(items: &[Item]) -> BTreeSet<String> {
    let bodies = bodies(items);
    let top = Scope { assigns: BTreeSet::new(), ..Scope::default() };
    let mut walk = Walk { bodies: bodies.into_iter(), scopes: vec![top], kept: BTreeSet::new() };
    items.iter().for_each(|item| walk.item(&item.what));
    walk.kept
}

/// What each loop sets, those within it included, in the order in which they begin.
fn bodies(items: &[Item]) -> Vec<BTreeSet<String>> {
    let (mut open, mut found): (Vec<usize>, Vec<BTreeSet<String>>) = (Vec::new(), Vec::new());
    for item in items {
        let names: Vec<String> = match &item.what {
            What::For(targets, _) => {
                open.push(found.len());
                found.push(BTreeSet::new());
                targets.iter().filter_map(name).collect()
            }
            What::End(Block::For) => {
                let ended = open.pop().and_then(|at| found.get(at)).cloned().unwrap_or_default();
                ended.into_iter().collect()
            }
            What::Set { target, .. } => target.iter().filter_map(name).collect(),
            _ => continue,
        };
        if let Some(body) = open.last().and_then(|at| found.get_mut(*at)) {
            body.extend(names);
        }
    }
    found
}

pub fn name(target: &Expr) -> Option<String> {
    match target {
        Expr::Name(name) => Some(name.clone()),
        _ => None,
    }
}

/// A loop's body, or all of the template.
#[derive(Default)]
struct Scope {
    /// Has a value from here on, whichever way was taken.
    sure: BTreeSet<String>,
    /// Was set on some way.
    set: BTreeSet<String>,
    /// Is set anywhere in this loop.
    assigns: BTreeSet<String>,
    /// Was set by loops that are over.
    left_behind: BTreeSet<String>,
    /// What was sure before each `if` that is open, and on all of its ways so far.
    choices: Vec<(BTreeSet<String>, Option<BTreeSet<String>>, bool)>,
}

struct Walk {
    bodies: std::vec::IntoIter<BTreeSet<String>>,
    scopes: Vec<Scope>,
    kept: BTreeSet<String>,
}

impl Walk {
    fn item(&mut self, what: &What) {
        uses(what, &mut |name| self.used(name));
        match what {
            What::Set { target, .. } => target.iter().filter_map(name).for_each(|name| self.set(name)),
            What::Attribute(name, _) => self.set(name.clone()),
            What::For(targets, _) => {
                let assigns = self.bodies.next().unwrap_or_default();
                self.scopes.push(Scope { assigns, ..Scope::default() });
                targets.iter().filter_map(name).for_each(|name| self.set(name));
            }
            What::End(Block::For) => self.end_loop(),
            What::If(_) => self.on(|scope| scope.choices.push((scope.sure.clone(), None, false))),
            What::Elif(_) => self.on(|scope| scope.other_way(false)),
            What::Else => self.on(|scope| scope.other_way(true)),
            What::End(Block::If) => self.on(Scope::end_choice),
            // What goes away here has set what counts no more; the other way is the one behind it.
            What::Break | What::Continue => self.on(Scope::left),
            _ => {}
        }
    }

    fn on(&mut self, act: impl FnOnce(&mut Scope)) {
        if let Some(scope) = self.scopes.last_mut() {
            act(scope);
        }
    }

    fn set(&mut self, name: String) {
        self.on(|scope| {
            scope.set.insert(name.clone());
            scope.sure.insert(name);
        });
    }

    fn end_loop(&mut self) {
        if self.scopes.len() < 2 {
            return;
        }
        let Some(ended) = self.scopes.pop() else { return };
        // Out here it may be another one than before.
        for scope in &mut self.scopes {
            let is_same = |name: &String| !ended.set.contains(name);
            scope.sure.retain(is_same);
            for (before, all, _) in &mut scope.choices {
                before.retain(is_same);
                all.iter_mut().for_each(|all| all.retain(is_same));
            }
        }
        self.on(|scope| {
            scope.left_behind.extend(ended.set.iter().cloned());
            scope.set.extend(ended.set);
        });
    }

    fn used(&mut self, name: &str) {
        for scope in self.scopes.iter().rev() {
            if scope.sure.contains(name) {
                return;
            }
            // An earlier turn of this loop may have set it, or a loop that is over.
            if scope.assigns.contains(name) || scope.left_behind.contains(name) {
                self.kept.insert(name.to_owned());
                return;
            }
        }
    }
}

impl Scope {
    fn other_way(&mut self, is_last: bool) {
        let Some((before, all, has_else)) = self.choices.last_mut() else { return };
        let way = std::mem::replace(&mut self.sure, before.clone());
        *all = Some(match all.take() {
            None => way,
            Some(all) => all.intersection(&way).cloned().collect(),
        });
        *has_else |= is_last;
    }

    fn end_choice(&mut self) {
        let Some((before, all, has_else)) = self.choices.pop() else { return };
        let all = all.unwrap_or_else(|| self.sure.clone());
        self.sure = match has_else {
            true => all.intersection(&self.sure).cloned().collect(),
            false => before,
        };
    }

    /// Nothing comes after this: it takes no certainty away from the other ways.
    fn left(&mut self) {
        let set = self.set.clone();
        self.sure.extend(set);
    }
}

/// Every name that is read there.
pub fn uses(what: &What, tell: &mut dyn FnMut(&str)) {
    match what {
        What::Placeholder(read, _) | What::If(read) | What::Elif(read) | What::Echo(read) | What::Silent(read) => {
            names(read, tell);
        }
        What::For(_, read) | What::Attribute(_, read) => names(read, tell),
        What::Set { target, sign, value, .. } => {
            names(value, tell);
            if *sign != "=" {
                target.iter().for_each(|target| names(target, tell));
            }
        }
        What::OneLine(test, then, otherwise) => [test, then, otherwise].into_iter().for_each(|read| names(read, tell)),
        What::Late(name) => tell(name),
        _ => {}
    }
}

pub fn names(read: &Expr, tell: &mut dyn FnMut(&str)) {
    match read {
        Expr::Name(name) => tell(name),
        Expr::Number(_) | Expr::Text(_) => {}
        Expr::List(all) | Expr::Tuple(all) => all.iter().for_each(|one| names(one, tell)),
        Expr::Map(all) => all.iter().for_each(|(key, value)| {
            names(key, tell);
            names(value, tell);
        }),
        Expr::Attribute(of, _) | Expr::Unary(_, of) => names(of, tell),
        Expr::Item(of, index) | Expr::Binary(_, of, index) => {
            names(of, tell);
            names(index, tell);
        }
        Expr::Slice(of, from, to) => {
            names(of, tell);
            from.iter().chain(to).for_each(|end| names(end, tell));
        }
        Expr::Call(of, args, named) => {
            names(of, tell);
            args.iter().for_each(|arg| names(arg, tell));
            named.iter().for_each(|(_, arg)| names(arg, tell));
        }
        Expr::Choice { test, then, otherwise } => {
            [test, then, otherwise].into_iter().for_each(|one| names(one, tell));
        }
    }
}
