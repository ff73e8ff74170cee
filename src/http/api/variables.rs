//! Variables of a PATCH: a value sets one, null removes it, the others stay.

use crate::model::Variables;

/// Lays `given` over `kept`.
pub fn merge(kept: &mut Variables, given: Variables) {
    for (name, value) in given {
        match value {
            serde_json::Value::Null => drop(kept.remove(&name)),
            value => drop(kept.insert(name, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_sets_null_removes_and_the_rest_stays() {
        let read = |value| serde_json::from_value::<Variables>(value).unwrap();
        let mut kept = read(json!({"disk": "/dev/sda", "swap": 2, "raid": true}));
        merge(&mut kept, read(json!({"disk": "/dev/vda", "swap": null})));
        assert_eq!(kept, read(json!({"disk": "/dev/vda", "raid": true})));
    }
}
