#pragma once

#include <string>
#include <string_view>

namespace kiln {

// Text for people, with "xxxxx" in place of the user name and password of every URL in it. A user name alone is left
// where it is none (ssh://git@host), and masked in http and https, where a token may be in its place.
std::string without_url_credentials(std::string_view text);

// "xxxxx" in place of a user name, and of the password behind ':' in "user:password"; either may be missing.
std::string masked_user(std::string_view user);

}  // namespace kiln
