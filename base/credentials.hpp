#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// Text for people, with "xxxxx" in place of the user name and password of every URL in it. A user name alone is left
// where it is none (ssh://git@host), and masked in http and https, where a token may be in its place.
std::string without_url_credentials(std::string_view text);

// "xxxxx" in place of a user name, and of the password behind ':' in "user:password"; either may be missing.
std::string masked_user(std::string_view user);

// The text with "***" in the place of a value, wherever it stands: with letters of either case, as a host's name is
// told, as it is, and percent-encoded as in a URL, all of it or some of its bytes. With `counts` only where it agrees
// to what is found.
std::string with_mask_for(std::string_view text, std::string_view value,
                          const std::function<bool(std::size_t offset, std::size_t size)>& counts = {});

// Values in the order in which they are to be masked, the longest first: one may be a part of another.
void sort_for_masking(std::vector<std::string>& values);

}  // namespace kiln
