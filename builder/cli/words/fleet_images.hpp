#pragma once

#include <string>
#include <vector>

namespace kiln::cli {

// An image that a word means.
struct NamedByWord {
  std::string profile;    // of the fleet's; empty for none
  std::string reference;  // to ask a store or a registry for
};

// What a word means where an image is expected: NAME or NAME:TAG of the fleet whose definitions are here, an image or a
// target, is what that is published as, an image each of its profiles. Every other word, and one that the store has as
// an image, is a reference by itself. Definitions that are broken are none.
std::vector<NamedByWord> images_of_word(const std::string& word);

// The fleet's targets that an image without its profile means; empty where there is no fleet here, or none with it.
std::vector<std::string> targets_of_image(const std::string& image);

}  // namespace kiln::cli
