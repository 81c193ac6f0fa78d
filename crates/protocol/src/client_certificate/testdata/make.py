"""Writes certificates.txt and the private keys beside it, with the Python package `cryptography`. Kept so that a test
can be given one more; whatever is written anew changes every thumbprint."""

import base64
import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type as Kind
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

HERE = pathlib.Path(__file__).parent
BEGIN, END = datetime.datetime(2024, 1, 1), datetime.datetime(2124, 1, 1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
lines = []


def name(*pairs, kind=None):
    """Each pair is an RDN of its own."""
    return x509.Name([x509.NameAttribute(oid, text, _type=kind) for oid, text in pairs])


ACME = ((NameOID.COUNTRY_NAME, "CH"), (NameOID.ORGANIZATION_NAME, "Acme"))
SVC = (*ACME, (NameOID.COMMON_NAME, "svc"))
SANS = [
    x509.DNSName("svc.example.org"),
    x509.UniformResourceIdentifier("urn:acme:svc"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
    x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
    x509.RFC822Name("svc@example.org"),
]


def certificate(label, subject, issuer=None, sans=None, usage=CLIENT, ca=False, begin=BEGIN, end=END, key=None):
    key = key or ec.generate_private_key(ec.SECP256R1())
    issuer_name, issuer_key = issuer or (subject, key)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer_name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if isinstance(sans, bytes):
        builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), sans), False)
    elif sans:
        builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    made = builder.sign(issuer_key, hashes.SHA256())
    der = made.public_bytes(serialization.Encoding.DER)
    lines.append(f"{label} {base64.b64encode(der).decode()}")
    return subject, key


def keep(label, made):
    pem = made[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (HERE / f"{label}-key.pem").write_bytes(pem)


def one(text):
    return [x509.DNSName(text)]


ca = certificate("authority", name(*ACME, (NameOID.COMMON_NAME, "CA")), ca=True, usage=None)
# The same name, another key.
foreign = certificate("other_authority", name(*ACME, (NameOID.COMMON_NAME, "CA")), ca=True, usage=None)
between = certificate("intermediate", name(*ACME, (NameOID.COMMON_NAME, "Between")), ca, ca=True, usage=None)

keep("svc", certificate("svc", name(*SVC), ca, SANS))
keep("renewed", certificate("renewed", name(*SVC), ca, SANS))
keep("other", certificate("other", name(*ACME, (NameOID.COMMON_NAME, "other")), ca, one("other.example.org")))
certificate("of_intermediate", name(*SVC), between, SANS)
certificate("foreign", name(*SVC), foreign, SANS)
certificate("expired", name(*SVC), ca, SANS, end=datetime.datetime(2024, 2, 1))
certificate("future", name(*SVC), ca, SANS, begin=datetime.datetime(2123, 1, 1))
certificate("server_only", name(*SVC), ca, SANS, usage=SERVER)
certificate("any_usage", name(*SVC), ca, SANS, usage=None)
certificate("signing", name(*SVC), ca, SANS, ca=True)
certificate("no_sans", name(*SVC), ca)
certificate("wildcard", name(*ACME), ca, one("*.example.org"))
certificate("longer", name(*ACME), ca, [x509.DNSName("svc.example.org.evil.example"), x509.DNSName("xsvc.example.org"),
                                       x509.DNSName("svc.example.org.")])
certificate("capitals", name(*ACME), ca, one("SVC.Example.ORG"))
NUL = b"svc.example.org\0.evil.example"
certificate("nul", name(*ACME), ca, bytes([0x30, len(NUL) + 2, 0x82, len(NUL)]) + NUL)
# The name of another kind, each: what is a DNS name to one reader must not be a URI to the next.
certificate("kinds", name(*ACME), ca, [x509.UniformResourceIdentifier("svc.example.org"),
                                      x509.RFC822Name("urn:acme:svc"), x509.DNSName("192.0.2.7")])
# IPv4 in IPv6, and eight bytes, which are a network.
certificate("mapped", name(*ACME), ca, [x509.IPAddress(ipaddress.ip_address("::ffff:192.0.2.7")),
                                       x509.IPAddress(ipaddress.ip_network("192.0.2.7/32"))])

certificate("dn_utf8", name(*SVC[1:], kind=Kind.UTF8String), ca)
certificate("dn_printable", name(*SVC[1:], kind=Kind.PrintableString), ca)
certificate("dn_bmp", name(*SVC[1:], kind=Kind.BMPString), ca)
certificate("dn_reversed", name(*reversed(SVC)), ca)
certificate("dn_capitals", name(*ACME, (NameOID.COMMON_NAME, "SVC")), ca)
certificate("dn_longer", name(*SVC, (NameOID.COMMON_NAME, "evil")), ca)
# One value that reads like two.
certificate("dn_comma", name((NameOID.COUNTRY_NAME, "CH"), (NameOID.ORGANIZATION_NAME, "Acme,CN=svc")), ca)
certificate("dn_nul", name(*ACME, (NameOID.COMMON_NAME, "svc\0evil"), kind=Kind.UTF8String), ca)
certificate("dn_several", x509.Name([x509.RelativeDistinguishedName(
    [x509.NameAttribute(NameOID.COMMON_NAME, "svc"), x509.NameAttribute(NameOID.USER_ID, "7")])]), ca)
certificate("dn_dotted", name((ObjectIdentifier("1.2.3.4"), "x"), (NameOID.COMMON_NAME, "Schmidt, Lüthi")), ca)

keep("self", certificate("self", name((NameOID.COMMON_NAME, "self")), sans=one("self.example.org")))
keep("self_renewed", certificate("self_renewed", name((NameOID.COMMON_NAME, "self")), sans=one("self.example.org")))
certificate("self_authority", name((NameOID.COMMON_NAME, "self")), ca=True, usage=None)
certificate("self_expired", name((NameOID.COMMON_NAME, "self")), end=datetime.datetime(2024, 2, 1))
certificate("self_future", name((NameOID.COMMON_NAME, "self")), begin=datetime.datetime(2123, 1, 1))
certificate("self_server_only", name((NameOID.COMMON_NAME, "self")), usage=SERVER)

(HERE / "certificates.txt").write_text("\n".join(lines) + "\n")
