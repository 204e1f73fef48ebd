"""The words of login never show what they must not."""

from syncd.persons import Proof, SealedKey, SignIn, Subject, Union

SUBJECT = Subject("app:wx1", "openid")


def test_keys_and_grants_are_in_no_repr():
    proof = Proof(SUBJECT, Union("open", "u"), grant=b"grant", sealed_key=b"sealed")
    assert "b'" not in repr(proof)
    assert "b'" not in repr(SealedKey("alice", SUBJECT, b"sealed"))
    request = SignIn(
        proof=proof,
        shown=None,
        account="alice",
        device="0" * 32,
        name="phone",
        platform="phone",
        secret_hash=b"secret",
        token_hash=b"token",
        notices=None,
    )
    assert "b'" not in repr(request)
