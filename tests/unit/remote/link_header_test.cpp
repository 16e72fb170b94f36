#include "registry/remote/link_header.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

std::optional<std::string> next_of(const std::vector<std::string>& fields) {
  HttpHeaders headers;
  for (const std::string& field : fields) headers.add("Link", field);
  return next_page(headers, "list 'x'");
}

}  // namespace

TEST_CASE("the next page is found in every form that registries send") {
  const std::string target = "/v2/acme/app/tags/list?last=a,b;c&n=2";
  for (const std::string& field : {
           "<" + target + ">; rel=\"next\"",
           "<" + target + ">;rel=next",
           "<" + target + "> ; REL=\"Next\" ; title=\"pages, and ; more \\\" of them\"",
           "<" + target + ">; rel=\"next prefetch\"",
           "<" + target + ">; rel=\"prefetch   next\"",
           "<" + target + ">; rel='next'",
           "<" + target + ">; title*=UTF-8'de'n%c3%a4chste; rel=next",
           "<" + target + ">",
           ", <" + target + ">; rel=next,",
           "</v2/first>; rel=\"first\", <" + target + ">; rel=\"next\", </v2/last>; rel=last",
           "<" + target + ">; rel=next; rel=prev",
       }) {
    CAPTURE(field);
    CHECK(next_of({field}) == target);
  }
  CHECK(next_of({"</p1>; rel=prev", "</p3>; rel=next"}) == "/p3");
  CHECK(next_of({"/p2\r; rel=next"}) == "/p2");
  CHECK(next_of({"/v2/_catalog?last=a,b&n=2; rel=\"next\""}) == "/v2/_catalog?last=a,b&n=2");
  CHECK(next_of({"https://quay.example/v2/x?n=1"}) == "https://quay.example/v2/x?n=1");
}

TEST_CASE("the last page leads nowhere") {
  CHECK_FALSE(next_of({}));
  CHECK_FALSE(next_of({""}));
  CHECK_FALSE(next_of({"</p1>; rel=\"prev\", </p1>; rel=\"first\""}));
  CHECK_FALSE(next_of({"</style.css>; rel=preload; as=style"}));
}

TEST_CASE("a Link that cannot be read is an error and never the last page") {
  for (const std::string field : {"<>; rel=next", "</v2/x", "next", "</v2/x> rel=next", "</v2/x>; rel=\"next",
                                  "?n=2&last=b; rel=next", "</v2/x>; rel=next what", "</a>; rel=next; =b"}) {
    CAPTURE(field);
    CHECK_ERROR(next_of({field}), Category::network, doctest::Contains("list 'x': its Link field"));
  }
  CHECK_ERROR(next_of({"</a>; rel=next", "</b>; rel=next"}), Category::network,
              "list 'x': its Link fields name two different next pages");
}

TEST_CASE("a relation that is not known may be how a registry calls its next page") {
  for (const std::string relation : {"nextPage", "next_page", "http://acme.example/relations/next", "more"}) {
    CAPTURE(relation);
    CHECK_ERROR(next_of({"</v2/x?page=2>; rel=\"" + relation + "\""}), Category::network,
                doctest::Contains(("list 'x': its Link field has the relation '" + to_lower(relation) + "'").c_str()));
    CHECK(next_of({"</v2/x?page=2>; rel=\"next " + relation + "\""}) == "/v2/x?page=2");
  }
  CHECK_FALSE(next_of({"</v2/x>; rel=\"self collection\", </help>; rel=help"}));
}

TEST_CASE("what an unreadable Link may hold behind its '?' is not told") {
  try {
    next_of({"<https://storage.example/v2/x?signature=canary; rel=next"});
    FAIL("expected an error");
  } catch (const Error& error) {
    CHECK(error.message().find("storage.example/v2/x") != std::string::npos);
    CHECK(error.message().find("canary") == std::string::npos);
  }
}
