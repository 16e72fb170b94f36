#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::init {

// A tag that a file gives an image, as far as the file says it.
struct KnownTag {
  std::string repository;  // in full, "docker.io/acme/base"; behind an unknown registry "acme/base"
  std::string tag;         // empty: not known
  bool is_suffix = false;  // what is before the repository is not known
};

// nullopt where too little of it is known, or it is no reference.
std::optional<KnownTag> parse_known_tag(std::string_view text);

enum class TagMatch { none, other_tag, unknown_tag, exact };
// Whether a reference of a Dockerfile names the image that has the tag. One with a digest names none.
TagMatch match_tag(const KnownTag& known, const std::string& reference);

// The name in the alphabet of image names: "My Service_v2" is "my-service_v2". Empty where nothing is left of it.
std::string normalised_image_name(std::string_view text);

// What names an image may get, the best first: that of its repository, of the file that builds it, of its folder.
struct NameHints {
  std::vector<KnownTag> tags;
  std::string called;      // by the file that builds it
  std::string stage;       // that is built; empty: the last
  std::string dockerfile;  // relative to the repository
  std::string repository;  // what the repository is called, for what lies in its root
};
std::vector<std::string> name_choices(const NameHints& hints);

// One name for each, none twice and none of `taken`: the first choice that is no other's too, and where there is none a
// number behind it.
std::vector<std::string> assign_names(const std::vector<std::vector<std::string>>& choices,
                                      const std::set<std::string>& taken);

// Whether Docker Hub has an official image of the name, which a FROM without a registry means then.
bool is_official_image(std::string_view name);

}  // namespace kiln::init
