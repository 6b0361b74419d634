//! The exchanges that RFC 7677 and RFC 5802 print, and brokers that are not who they say.

use super::{Hash, PREAMBLE, Scram};

const FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

/// The client of RFC 7677.
fn client() -> Scram {
    let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
    Scram { hash: Hash::Sha256, bare: format!("n=user,r={nonce}"), nonce }
}

fn refused(first: &str) -> String {
    client().prove("pencil", first.as_bytes()).map(drop).unwrap_err().to_string()
}

#[test]
fn the_exchange_of_rfc_7677_is_spoken() {
    assert_eq!(client().first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let proof = client().prove("pencil", FIRST.as_bytes()).unwrap();
    assert_eq!(
        proof.message,
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    );
    proof.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
}

#[test]
fn a_broker_that_does_not_know_the_password_is_found_out() {
    let proof = client().prove("pencil", FIRST.as_bytes()).unwrap();
    for lie in ["v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", "v=", "", "e=other-error", "v=AAAA"] {
        let error = proof.check(lie.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("does not prove"), "{error}");
    }
    assert!(proof.check(b"\xff").is_err());
}

#[test]
fn an_answer_to_somebody_else_is_refused() {
    assert!(refused(&FIRST.replace("r=rOpr", "r=xOpr")).contains("nonce"));
    assert!(refused("r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096").contains("nonce"));
}

#[test]
fn too_little_and_too_much_work_is_refused() {
    for rounds in ["4095", "0", "-1", "200001", "99999999999999999999", "x"] {
        let error = refused(&FIRST.replace("i=4096", &format!("i={rounds}")));
        assert!(error.contains("iterations outside 4096 to 200000"), "{error}");
    }
}

#[test]
fn what_is_missing_or_is_no_base64_is_refused() {
    assert!(refused("i=4096").contains("no \"r\""));
    assert!(refused(&FIRST.replace("s=W22", "s=!!!")).contains("base64"));
    assert!(refused(&FIRST.replace(",i=4096", "")).contains("no \"i\""));
}

#[test]
fn commas_and_equals_signs_in_a_name_do_not_break_the_message() {
    let scram = Scram::new(Hash::Sha512, "a=b,c", &[1, 2, 3]);
    assert_eq!(scram.first(), format!("{PREAMBLE}n=a=3Db=2Cc,r=AQID"));
}

#[test]
fn sha_512_is_another_exchange() {
    let scram = |hash| Scram { hash, ..client() };
    let short = scram(Hash::Sha256).prove("pencil", FIRST.as_bytes()).unwrap().message;
    let long = scram(Hash::Sha512).prove("pencil", FIRST.as_bytes()).unwrap().message;
    assert_eq!(long.len() - short.len(), 88 - 44);
}
