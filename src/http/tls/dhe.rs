//! A key exchange without curves, for firmware that was built without them: ffdhe2048 (RFC 7919), in TLS 1.2 and 1.3.

use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams, FixedMontyParams};
use crypto_bigint::zeroize::Zeroize;
use crypto_bigint::{U256, U2048};
use tokio_rustls::rustls::crypto::ring::{self, cipher_suite};
use tokio_rustls::rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, KeyExchangeAlgorithm, SharedSecret, SupportedKxGroup,
};
use tokio_rustls::rustls::ffdhe_groups::{FFDHE2048, FfdheGroup};
use tokio_rustls::rustls::server::ClientHello;
use tokio_rustls::rustls::{
    CipherSuite, CipherSuiteCommon, Error, NamedGroup, PeerMisbehaved, SupportedCipherSuite, Tls12CipherSuite,
};

/// TLS 1.2 names the exchange in the suite: these are ring's for RSA keys, but for that.
static SUITES: [Tls12CipherSuite; 2] = [
    without_curves(
        CipherSuite::TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
        &cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    without_curves(
        CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
        &cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
];

const fn without_curves(suite: CipherSuite, like: &'static SupportedCipherSuite) -> Tls12CipherSuite {
    let SupportedCipherSuite::Tls12(like) = like else { panic!("found while it is compiled") };
    Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite,
            hash_provider: like.common.hash_provider,
            confidentiality_limit: like.common.confidentiality_limit,
        },
        prf_provider: like.prf_provider,
        kx: KeyExchangeAlgorithm::DHE,
        sign: like.sign,
        aead_alg: like.aead_alg,
    }
}

/// For a client that can not do with ring's own.
pub fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|suite| suite.tls13().is_some());
    provider.cipher_suites.extend(SUITES.iter().map(SupportedCipherSuite::from));
    provider.kx_groups = vec![&Ffdhe2048];
    provider
}

/// Whether it shares a curve and a suite with ring: then it gets them, whatever it would like better.
pub fn knows_curves(hello: &ClientHello<'_>) -> bool {
    let groups = hello.named_groups().unwrap_or_default();
    groups.iter().any(|group| ring::ALL_KX_GROUPS.iter().any(|ours| ours.name() == *group))
        && hello.cipher_suites().iter().any(|suite| ring::ALL_CIPHER_SUITES.iter().any(|ours| ours.suite() == *suite))
}

/// What all is counted modulo: a safe prime, so that only 1 and p-1 are of small order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Prime;

impl ConstMontyParams<{ U2048::LIMBS }> for Prime {
    const LIMBS: usize = U2048::LIMBS;
    const PARAMS: FixedMontyParams<{ U2048::LIMBS }> =
        FixedMontyParams::new_vartime(U2048::from_be_slice(FFDHE2048.p).to_odd().expect_copied("a prime is odd"));
}

/// In constant time, as much of a number as there is: padded on the left.
fn power(base: &U2048, secret: &U256) -> Vec<u8> {
    ConstMontyForm::<Prime, { U2048::LIMBS }>::new(base).pow(secret).retrieve().to_be_bytes().to_vec()
}

/// A public value that may be used (RFC 7919 §5.1). In TLS 1.2 leading zeros may be left out.
fn public(bytes: &[u8]) -> Option<U2048> {
    let mut padded = [0; U2048::BYTES];
    padded.get_mut(U2048::BYTES.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    let value = U2048::from_be_slice(&padded);
    let largest = Prime::PARAMS.modulus().as_ref().wrapping_sub(&U2048::from(2u8));
    (value > U2048::ONE && value <= largest).then_some(value)
}

#[derive(Debug)]
struct Ffdhe2048;

impl SupportedKxGroup for Ffdhe2048 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut bytes = [0; U256::BYTES];
        getrandom::fill(&mut bytes).map_err(|_| GetRandomFailed)?;
        let exchange = Exchange::new(U256::from_be_slice(&bytes));
        bytes.zeroize();
        Ok(Box::new(exchange))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        Some(FFDHE2048)
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::FFDHE2048
    }
}

/// For one handshake only: who used a secret twice could be asked for its bits, since TLS 1.2 drops leading zeros of
/// what comes out, which shows in the time (the Raccoon attack).
struct Exchange {
    /// 256 bits: RFC 7919 §5.2 wants 225.
    secret: U256,
    public: Vec<u8>,
}

impl Exchange {
    fn new(secret: U256) -> Exchange {
        Exchange { public: power(&U2048::from(2u8), &secret), secret }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer = public(peer).ok_or(PeerMisbehaved::InvalidKeyShare)?;
        Ok(power(&peer, &self.secret).into())
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        Some(FFDHE2048)
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::FFDHE2048
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};
    use tokio_rustls::rustls::SupportedProtocolVersion;
    use tokio_rustls::rustls::version::{TLS12, TLS13};

    /// 30 bytes of the first, then the other two.
    fn exchange(most: u8, last: [u8; 2]) -> Box<Exchange> {
        let mut secret = [most; 32];
        secret[30..].copy_from_slice(&last);
        Box::new(Exchange::new(U256::from_be_slice(&secret)))
    }

    fn hash(bytes: &[u8]) -> String {
        hex::encode(Sha256::digest(bytes))
    }

    fn shared(ours: Box<Exchange>, peer: &[u8], version: &SupportedProtocolVersion) -> Vec<u8> {
        ours.complete_for_tls_version(peer, version).unwrap().secret_bytes().to_vec()
    }

    /// The hashes are those of Python's `pow(2, x, p)`.
    #[test]
    fn it_counts_as_others_do() {
        let (ours, theirs) = (exchange(0xa0, [0xa0; 2]), exchange(0xb0, [0xb0; 2]));
        let (our, their) = (ours.pub_key().to_vec(), theirs.pub_key().to_vec());
        assert_eq!(hash(&our), "2f9148998dc304be03e35f81fec4029e87187e8bef714eb6592a7324c2bc7020");
        assert_eq!(hash(&their), "5c67fa8ab5b739f4ed4b5defb1583df38121a1b22f67e36ce8f3212e33b84637");
        let both = [shared(ours, &their, &TLS12), shared(theirs, &our, &TLS13)];
        assert_eq!(both.map(|s| hash(&s)), ["9b42c513e0bf9768e089767ea2c76cf7fb8e3ffd09797e6cee8447a2e9e6e2a2"; 2]);
    }

    #[test]
    fn leading_zeros_are_kept_in_tls_1_3_and_dropped_in_tls_1_2() {
        let their = exchange(0xb0, [0xb0; 2]).pub_key().to_vec();
        let kept = shared(exchange(0xa0, [0, 0x5d]), &their, &TLS13);
        assert_eq!((kept.len(), &kept[..2]), (256, &[0, 0][..]));
        assert_eq!(hash(&kept), "7969d88b3d76e6db00067e7e002ddf6ba35ebad6a7f5c94b62839575f0c5d8ff");
        let dropped = shared(exchange(0xa0, [0, 0x5d]), &their, &TLS12);
        assert_eq!((dropped.len(), dropped), (254, kept[2..].to_vec()));
    }

    #[test]
    fn a_public_value_is_padded_and_may_come_without_its_zeros() {
        let ours = exchange(0xa0, [0, 0xbf]);
        assert_eq!((ours.pub_key().len(), ours.pub_key()[0]), (256, 0));
        assert_eq!(hash(ours.pub_key()), "4f0d4de16fbf6fc2197a223a9a2f9a0847016475b3a6d5094698ca431f60f30d");
        assert_eq!(public(&ours.pub_key()[1..]), public(ours.pub_key()));
    }

    #[test]
    fn what_has_a_small_order_or_is_no_number_below_p_is_refused() {
        let near = |by: u8, plus: bool| {
            let p = U2048::from_be_slice(FFDHE2048.p);
            let by = U2048::from(by);
            if plus { p.wrapping_add(&by) } else { p.wrapping_sub(&by) }.to_be_bytes().to_vec()
        };
        let padded = |last: u8| [vec![0; 255], vec![last]].concat();
        let refused = [
            vec![],
            vec![0],
            vec![1],
            padded(0),
            padded(1),
            near(1, false),
            near(0, true),
            near(1, true),
            vec![0xff; 256],
            [vec![0], padded(2)].concat(),
            vec![2; 257],
            vec![2; 65_535],
        ];
        for value in refused {
            let answer = exchange(0xa0, [1, 2]).complete(&value);
            assert!(matches!(answer, Err(Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare))), "{value:x?}");
        }
        for value in [vec![2], padded(2), near(2, false)] {
            assert!(exchange(0xa0, [1, 2]).complete(&value).is_ok(), "{value:x?}");
        }
    }

    #[test]
    fn no_two_handshakes_have_the_same_secret() {
        let publics = [(); 2].map(|()| Ffdhe2048.start().unwrap().pub_key().to_vec());
        assert_ne!(publics[0], publics[1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn both_sides_agree(ours: [u8; 32], theirs: [u8; 32]) {
            let [ours, theirs] = [ours, theirs].map(|bytes| Box::new(Exchange::new(U256::from_be_slice(&bytes))));
            prop_assume!(ours.secret > U256::ONE && theirs.secret > U256::ONE);
            let (our, their) = (ours.public.clone(), theirs.public.clone());
            prop_assert_eq!(shared(ours, &their, &TLS13), shared(theirs, &our, &TLS13));
        }

        #[test]
        fn strange_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = public(&bytes);
        }
    }
}
