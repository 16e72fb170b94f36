#pragma once

#include <string>
#include <string_view>

namespace kiln {

// The private key in a PEM block of cosign, decrypted: PKCS #8 in DER (go-securesystemslib, encrypted).
//
//   {"kdf": {"name": "scrypt", "params": {"N": 65536, "r": 8, "p": 1}, "salt": BASE64},
//    "cipher": {"name": "nacl/secretbox", "nonce": BASE64 of 24 bytes}, "ciphertext": BASE64}
//
// The numbers decide how much memory and time the password takes, and the author of the file chose them: N is 2^15,
// 2^16 or 2^17 with r = 8 and p = 1, as cosign writes and takes them, which is at most 128 MiB. Error{usage} naming
// `where` for anything else and for a password that does not fit.
std::string decrypted_key(std::string_view document, std::string_view password, std::string_view where);

}  // namespace kiln
