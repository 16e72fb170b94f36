#pragma once

#include <vector>

#include "builder/build/image_push.hpp"
#include "builder/sign/signing_key.hpp"

namespace kiln {

// Signs what was pushed, by digest and once in each repository, several at a time and shown as tasks: the index where
// there are several platforms. `ends` are those of `pushed`, in their order: where one went well and signing fails, the
// failure is its error from then on. Offline nothing was pushed, so nothing is signed, and that is said.
void sign_pushed(Workshop& shop, const SigningKey& key, const std::vector<PushedImages>& pushed,
                 std::vector<PushEnd>& ends);

}  // namespace kiln
