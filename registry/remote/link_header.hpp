#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/remote/http.hpp"

namespace kiln {

// One link of a Link field (RFC 8288, section 3): a URI reference and the relations it has, in lower case. No relation
// where the link names none, which the RFC forbids and some registries do.
struct WebLink {
  std::string target;
  std::vector<std::string> relations;

  bool operator==(const WebLink&) const = default;
};

// The links of one field. Beyond the grammar two forms that registries sent are read: a target without '<' and '>', up
// to the first ';', and a relation in single quotes. Error{network} naming `where` for everything else: a link that
// cannot be read may be the one that leads on.
std::vector<WebLink> parse_links(std::string_view field, std::string_view where);

// Where the next page of a list is: the target of the link with the relation "next" or with none at all; nullopt on the
// last page. A caller deletes what it does not find in a list, so a field that cannot be read, or one that names two
// next pages, is Error{network} naming `where`.
std::optional<std::string> next_page(const HttpHeaders& headers, std::string_view where);

}  // namespace kiln
