//! Hashes of passwords, held against the crypt(3) of this host where it has one.

use super::{filtered, one, refuses};
use serde_json::json;
use std::process::Command;

/// What crypt(3) makes of a password with the salt of a hash; none where there is no perl.
fn crypt(password: &str, hash: &str) -> Option<String> {
    let out = Command::new("perl").args(["-e", "print crypt($ARGV[0], $ARGV[1])", password, hash]).output().ok()?;
    out.status.success().then(|| String::from_utf8(out.stdout).unwrap())
}

#[test]
fn crypt_takes_what_the_filters_give() {
    for password in ["hunter2", "ä ö ü", "it's \"$x\"", &"long".repeat(15)] {
        for (filter, begins) in [("sha512_crypt", "$6$"), ("yescrypt", "$y$j9T$"), ("bcrypt", "$2b$10$")] {
            let hash = filtered(filter, password).unwrap();
            assert!(hash.starts_with(begins) && !hash.contains('\n'), "{hash}");
            if let Some(theirs) = crypt(password, &hash) {
                assert_eq!(theirs, hash, "{filter} of {password}");
            }
        }
    }
}

#[test]
fn a_machine_gets_the_same_hash_again_and_another_machine_another() {
    let of = |id: &str, whose: &str| {
        let text = format!("{{{{ 'hunter2'|sha512_crypt({whose}) }}}}");
        one(&text, &json!({"machine": {"system_id": id}})).unwrap()
    };
    assert_eq!(of("a", ""), of("a", ""));
    assert_ne!(of("a", ""), of("b", ""));
    assert_ne!(of("a", "'root'"), of("a", "'ops'"));
}

#[test]
fn the_salt_says_nothing_of_the_password() {
    let salt = |password: &str| filtered("sha512_crypt", password).unwrap().split('$').nth(3).unwrap().to_owned();
    assert_eq!(salt("hunter2"), salt("another"));
    assert_eq!(salt("hunter2").len(), 16);
}

#[test]
fn what_can_not_be_a_password_is_refused() {
    for filter in ["sha512_crypt", "yescrypt", "bcrypt"] {
        refuses(filter, &[("", "it is empty"), ("a\nb", "a control character")]);
    }
    refuses("bcrypt", &[(&"x".repeat(73), "reads 72 bytes and it has 73")]);
    let error = one("{{ 'x'|yescrypt }}", &json!({})).unwrap_err().to_string();
    assert!(error.contains("machine.system_id"), "{error}");
}
