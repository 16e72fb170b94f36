#pragma once

#include <optional>
#include <string>

#include "base/cancel.hpp"
#include "builder/build/build_request.hpp"
#include "builder/sign/signing_key.hpp"

namespace kiln::cli {

// What --key, --sign-key and KILN_SIGN_KEY name: a file, "env://NAME" for what an environment variable holds, or the
// key itself in PEM. Error{usage} for what is none; a text that is no file's name is never shown, since it may be a
// key.

// `flag` is what the word was given by. The password of an encrypted key is that of COSIGN_PASSWORD, which may be
// empty, else it is asked for on the terminal.
SigningKey read_signing_key(const std::string& word, const char* flag, const CancelToken& cancel);
VerificationKey read_verification_key(const std::string& word, const char* flag);

// The key that images are signed with when they are pushed: of --sign-key, else of KILN_SIGN_KEY; nullopt where neither
// is said. `--sign-key ''` is none, whatever the environment says.
std::optional<SigningKey> push_signing_key(const std::optional<std::string>& word, const CancelToken& cancel);
// The same for a build, which opens the key where it pushes something.
PushSigning push_signing(const std::optional<std::string>& word, const CancelToken& cancel);

// The key that what is used has to be signed by: of --key, else of KILN_VERIFY_KEY; nullopt where neither is said.
// `--key
// ''` is none, whatever the environment says.
std::optional<VerificationKey> wanted_verification_key(const std::optional<std::string>& word);

// What the help says of --sign-key.
inline constexpr char kSignKeyHelp[] =
    "sign what is pushed with this private key: FILE or env://NAME (default: $KILN_SIGN_KEY)";

}  // namespace kiln::cli
