#pragma once

#include <string>

#include "base/error.hpp"
#include "builder/sign/signing_key.hpp"

// Keys that were made for these tests and are used nowhere else, and what cosign 3.1.3 made with them.
namespace kiln::test {

// openssl genpkey, openssl pkey -pubout, openssl ec
inline constexpr char kP256Key[] = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrzdIXInfz0Sg7Oec
pHQhf9t3lLHLmwdsT3VjjjYQ3nShRANCAARZNlC6CKPmWMNWaoGaIfN2qzh7Hd57
iJshKBfT8FSnAa2wsYIM7RcPgiq47dRKshSlcshCpsxc2rjfUoUs9d67
-----END PRIVATE KEY-----
)";
inline constexpr char kP256KeySec1[] = R"(-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIK83SFyJ389EoOznnKR0IX/bd5Sxy5sHbE91Y442EN50oAoGCCqGSM49
AwEHoUQDQgAEWTZQugij5ljDVmqBmiHzdqs4ex3ee4ibISgX0/BUpwGtsLGCDO0X
D4IquO3USrIUpXLIQqbMXNq431KFLPXeuw==
-----END EC PRIVATE KEY-----
)";
inline constexpr char kP256Public[] = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWTZQugij5ljDVmqBmiHzdqs4ex3e
e4ibISgX0/BUpwGtsLGCDO0XD4IquO3USrIUpXLIQqbMXNq431KFLPXeuw==
-----END PUBLIC KEY-----
)";
inline constexpr char kEd25519Key[] = R"(-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIBOXWKwHtUOhmPs7cildz4rP0Pa82DxoqQ1kloWk8GGk
-----END PRIVATE KEY-----
)";
inline constexpr char kEd25519Public[] = R"(-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAwuGBWJWlGLCW8pSavwC3+gDrR+Kg0gtZmmbHLiR8nb0=
-----END PUBLIC KEY-----
)";
inline constexpr char kP384Key[] = R"(-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDALOKxyKuFZEMh5agNf
Wkj+2OFKzpQxIw4KZgQApQ982nwff91Rvm7I+0NkVtp/wjmhZANiAATJfxNNsQEy
G1VgafRcS53iG3hBtgrOJIhtyBOqJ7BKsIQySGOT/ACY36FEGiDkG+8eXGPMXgj/
D3vbfwZ/OMx5KkoSvydPL3+45QwMIb66DNpzGhQks9xFp3PLaiea9fM=
-----END PRIVATE KEY-----
)";
inline constexpr char kP384Public[] = R"(-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEyX8TTbEBMhtVYGn0XEud4ht4QbYKziSI
bcgTqiewSrCEMkhjk/wAmN+hRBog5BvvHlxjzF4I/w97238GfzjMeSpKEr8nTy9/
uOUMDCG+ugzacxoUJLPcRadzy2onmvXz
-----END PUBLIC KEY-----
)";

// cosign generate-key-pair
inline constexpr char kCosignPassword[] = "canary-test-pass";
inline constexpr char kCosignKey[] = R"(-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJwZnNYUTBTZ3VkeUdMUHRZd1RkallWNFBVaFNpV3h1
YVhRZ3Q0WDcxL093PSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJhTFU3V3BQdTdWR3p1WkxqSk9kV3dISnhlNWpCVGZBMCJ9LCJj
aXBoZXJ0ZXh0IjoiVkxmaE1jR3FmZjZtUmZCcmRDazZQT3lLS3luQjFrSUZvazRZ
eU9ZWDllMlYxQ3doZGh6NFVTeVVXVXBtREhza2hIVmVZM0Fnb2FzRUJ5Z3A4TDlT
d3EvMWUxa1NVTExzS0ZlbWYxZXUzaEk1b2VVMVhPNXJpT09acENldlY1bHJGNkdX
NG4wZW45SFQ5cnR5dGZTZW13elVSbHh4S0k2Si9jZ0Z0UkRaZFkveW5ZQmhMYnEx
ZW1LbVB2U0M1WnI4cS94L3NTUTc0VFhVK2c9PSJ9
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----
)";
inline constexpr char kCosignPublic[] = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEDuIoYBGaOIeKZHGGqug6i0zHz0+C
JUg/2As5mbx/ZrecvKHb/4nrDQLTcqeJLB8RjMnIcCtMdm9KCo6WwH5GMw==
-----END PUBLIC KEY-----
)";
// cosign import-key-pair --key of kEd25519Key, without a password
inline constexpr char kCosignEd25519Key[] = R"(-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJYTmlwQTJEZ1pTMWd6OGFqSHFOdFQyK0dkWno3VFFC
bFZzeHZEejlkc0pZPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJSa21KWEhhN2dZcDhYWnRBVkZRVURVRDRCL1pjOVFnZyJ9LCJj
aXBoZXJ0ZXh0IjoiLzI3WmpjWEs2NkJVY0VsbU9xeGJvQVpzdFUvcnl1ZUY1QXp4
bzh0Tnl2N0pYcjMyWlZwdmpGbWxJSXd6L1hIZWlMejNxRTRlOUdBNkN3YjM0NWE3
Y2c9PSJ9
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----
)";

// cosign sign --key of the image kSignedImage: the bundles that it stored, and payload and signatures of its first
// form. With an Ed25519 key cosign signs by Ed25519ph.
inline constexpr char kSignedImage[] = "sha256:a62f826849f2c7eed78002bdf2ef402ff54326ba7b5c66e52a592a31ab6f3964";
inline constexpr char kCosignBundle[] =
    R"({"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"RsyELbjJ7kgNAn/ddNplTnxRP9FYMTqcOCKTejMYu4w="}},"dsseEnvelope":{"payload":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJzdWJqZWN0IjpbeyJkaWdlc3QiOnsic2hhMjU2IjoiYTYyZjgyNjg0OWYyYzdlZWQ3ODAwMmJkZjJlZjQwMmZmNTQzMjZiYTdiNWM2NmU1MmE1OTJhMzFhYjZmMzk2NCJ9LCJhbm5vdGF0aW9ucyI6e319XSwicHJlZGljYXRlVHlwZSI6Imh0dHBzOi8vc2lnc3RvcmUuZGV2L2Nvc2lnbi9zaWduL3YxIiwicHJlZGljYXRlIjp7fX0=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"MEQCIBsU8dhPgfbccIODTU0CtZQbQ8s/nMZ6XK2OqjCt5xKzAiAYehvh5d6ZwWRxfQVTqKsulUKXSiHzqIdrMalSLGc76Q=="}]}})";
inline constexpr char kCosignEd25519Bundle[] =
    R"({"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"Q4VKzkjuivrm7IifIKXO/jVYMMvNSC01XoUUuk11hls="}},"dsseEnvelope":{"payload":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJzdWJqZWN0IjpbeyJkaWdlc3QiOnsic2hhMjU2IjoiYTYyZjgyNjg0OWYyYzdlZWQ3ODAwMmJkZjJlZjQwMmZmNTQzMjZiYTdiNWM2NmU1MmE1OTJhMzFhYjZmMzk2NCJ9LCJhbm5vdGF0aW9ucyI6e319XSwicHJlZGljYXRlVHlwZSI6Imh0dHBzOi8vc2lnc3RvcmUuZGV2L2Nvc2lnbi9zaWduL3YxIiwicHJlZGljYXRlIjp7fX0=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"Nhe/06Tnl/HwjPa7hMbo9co5oqkrDvbSOCXh5cU1jpqiCFKy962i7j4LL3g4sTR4IAppsOW2OGnhr3HexzmKDQ=="}]}})";
inline constexpr char kCosignPayload[] =
    R"({"critical":{"identity":{"docker-reference":"127.0.0.1:5997/acme/app"},"image":{"docker-manifest-digest":"sha256:a62f826849f2c7eed78002bdf2ef402ff54326ba7b5c66e52a592a31ab6f3964"},"type":"cosign container image signature"},"optional":null})";
inline constexpr char kCosignSignature[] =
    "MEYCIQCj1vH/p9XIvoiPu3d8UU8oE0Wkwmq5vTkaMvyJjuMV0gIhAO4U57Z2sRIgnrKuwBqfk+aYh3rHtHh+p43+bMUOAp79";
inline constexpr char kCosignEd25519Signature[] =
    "Li0lxN6sc/rO/n3BFwy8aDa7AKnCqAlc4hQRhCr9q3F9Hk+K6eG+LsaZD8IqiSffzqAwKY5tT1wsQ44KTHJ5BQ==";

// For keys that have no password.
inline std::string no_password_asked() { throw Error(Category::usage, "a password was asked for"); }
inline SigningKey p256_key() { return SigningKey::parse(kP256Key, "the key", no_password_asked); }
inline SigningKey ed25519_key() { return SigningKey::parse(kEd25519Key, "the key", no_password_asked); }

}  // namespace kiln::test
