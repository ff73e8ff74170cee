//! Passwords as crypt(3) reads them: `sha512_crypt`, `yescrypt` and `bcrypt`, the same bytes each time a machine asks.
//!
//! The salt comes from the machine's system id and the kind of hash alone. A salt that came from the password too
//! would be a fast way to try passwords against it.

use hmac::{Hmac, KeyInit, Mac as _};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use sha_crypt::{Algorithm, PasswordHasher as _, ShaCrypt};
use sha2::Sha256;
use yescrypt::Yescrypt;

/// A few hundredths of a second, since each boot renders more than once.
const BCRYPT_COST: u32 = 10;
/// bcrypt reads no more.
const BCRYPT_BYTES: usize = 72;

/// More than anybody types.
const PASSWORD_BYTES: usize = 1024;

pub fn add_to(env: &mut Environment<'static>) {
    env.add_filter("sha512_crypt", |state: &State<'_, '_>, value: Value, whose: Option<String>| {
        hashed(state, "sha512_crypt", &value, whose, sha512)
    });
    env.add_filter("yescrypt", |state: &State<'_, '_>, value: Value, whose: Option<String>| {
        hashed(state, "yescrypt", &value, whose, yes)
    });
    env.add_filter("bcrypt", |state: &State<'_, '_>, value: Value, whose: Option<String>| {
        hashed(state, "bcrypt", &value, whose, bcrypt)
    });
}

fn hashed(
    state: &State<'_, '_>,
    kind: &str,
    value: &Value,
    whose: Option<String>,
    hash: fn(&str, [u8; 16]) -> Result<String, String>,
) -> Result<Value, Error> {
    let refused = |why: String| Error::new(ErrorKind::InvalidOperation, format!("can not be hashed: {why}"));
    let password = super::filters::text_of(value)?;
    // What takes long is counted, as in a loop.
    super::course::spend(password.len())?;
    if password.len() > PASSWORD_BYTES {
        return Err(refused(format!("it has {} bytes, and {PASSWORD_BYTES} are allowed", password.len())));
    }
    match password.chars().any(char::is_control) {
        _ if password.is_empty() => Err(refused("it is empty, and would open the account to everybody".into())),
        true => Err(refused("it holds a control character".into())),
        false => hash(&password, salt(state, kind, whose).map_err(refused)?).map(Value::from).map_err(refused),
    }
}

/// Whose: another word gives another salt, so that two accounts with one password do not show it.
fn salt(state: &State<'_, '_>, kind: &str, whose: Option<String>) -> Result<[u8; 16], String> {
    let id = state.lookup("machine").and_then(|machine| machine.get_attr("system_id").ok());
    let id =
        id.as_ref().and_then(|id| id.as_str()).ok_or("no machine.system_id is given, which its salt comes from")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(id.as_bytes()).map_err(|e| e.to_string())?;
    [kind, "\0", &whose.unwrap_or_default()].iter().for_each(|part| mac.update(part.as_bytes()));
    mac.finalize().into_bytes().first_chunk().copied().ok_or_else(|| "the salt is too short".into())
}

fn sha512(password: &str, salt: [u8; 16]) -> Result<String, String> {
    // Sixteen characters of the hash, which is as many as crypt(3) reads.
    let salt = salt.first_chunk::<12>().ok_or("the salt is too short")?;
    let hasher = ShaCrypt::new(Algorithm::Sha512Crypt, sha_crypt::Params::RECOMMENDED);
    let hash = hasher.hash_password_with_salt(password.as_bytes(), salt).map_err(|e| e.to_string())?;
    Ok(hash.to_string())
}

fn yes(password: &str, salt: [u8; 16]) -> Result<String, String> {
    let hash = Yescrypt::default().hash_password_with_salt(password.as_bytes(), &salt).map_err(|e| e.to_string())?;
    Ok(hash.to_string())
}

fn bcrypt(password: &str, salt: [u8; 16]) -> Result<String, String> {
    if password.len() > BCRYPT_BYTES {
        return Err(format!("bcrypt reads {BCRYPT_BYTES} bytes and it has {}", password.len()));
    }
    let parts = bcrypt::hash_with_salt(password, BCRYPT_COST, salt).map_err(|e| e.to_string())?;
    Ok(parts.to_string())
}
