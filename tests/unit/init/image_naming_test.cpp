#include "builder/init/image_naming.hpp"

#include <doctest/doctest.h>

#include "builder/init/git_remote.hpp"

namespace {

using kiln::init::assign_names;
using kiln::init::match_tag;
using kiln::init::name_choices;
using kiln::init::NameHints;
using kiln::init::normalised_image_name;
using kiln::init::parse_git_remote;
using kiln::init::parse_known_tag;
using kiln::init::TagMatch;
using Names = std::vector<std::string>;

std::string first_choice(const NameHints& hints) { return name_choices(hints).front(); }

TEST_CASE("a name is put into the alphabet of image names") {
  CHECK(normalised_image_name("My Service_v2.0") == "my-service_v2-0");
  CHECK(normalised_image_name("--a..b__c--") == "a-b-c");
  CHECK(normalised_image_name("line\nbreak") == "line-break");
  CHECK(normalised_image_name("***") == "");
}

TEST_CASE("a tag is known as far as its text says it") {
  const auto whole = parse_known_tag("acme/base:1.2");
  REQUIRE(whole);
  CHECK(whole->repository == "docker.io/acme/base");
  CHECK(whole->tag == "1.2");
  CHECK(parse_known_tag("ghcr.io/acme/base")->tag == "latest");
  CHECK(parse_known_tag("ghcr.io/acme/base:?")->tag == "");
  CHECK(parse_known_tag("?/acme/base:1")->is_suffix);
  CHECK(parse_known_tag("/base:1")->repository == "base");
  CHECK_FALSE(parse_known_tag("?"));
  CHECK_FALSE(parse_known_tag("acme/Base:1"));
}

TEST_CASE("a reference matches a tag exactly, any where the tag is not known, and never by a digest") {
  const auto known = *parse_known_tag("acme/base:1.2");
  CHECK(match_tag(known, "docker.io/acme/base:1.2") == TagMatch::exact);
  CHECK(match_tag(known, "acme/base:1.3") == TagMatch::other_tag);
  CHECK(match_tag(known, "acme/other:1.2") == TagMatch::none);
  CHECK(match_tag(known, "acme/base@sha256:" + std::string(64, 'a')) == TagMatch::none);
  CHECK(match_tag(*parse_known_tag("acme/base:?"), "acme/base:9") == TagMatch::unknown_tag);
  CHECK(match_tag(*parse_known_tag("?/acme/base:9"), "ghcr.io/acme/base:9") == TagMatch::exact);
  CHECK(match_tag(*parse_known_tag("?/base:9"), "ghcr.io/acme/database:9") == TagMatch::none);
}

TEST_CASE("an image is called by its tag, else by what builds it, else by its folder") {
  CHECK(first_choice({{*parse_known_tag("ghcr.io/acme/shop-api:1")}, "api", "", "services/x/Dockerfile", "shop"}) ==
        "shop-api");
  CHECK(first_choice({{}, "api", "", "services/x/Dockerfile", "shop"}) == "api");
  CHECK(first_choice({{}, "", "", "services/x/Dockerfile", "shop"}) == "x");
  CHECK(first_choice({{}, "", "", "services/x/docker/Dockerfile", "shop"}) == "x");
  CHECK(first_choice({{}, "", "", "Dockerfile", "shop"}) == "shop");
  CHECK(first_choice({{}, "", "", "Dockerfile.gpu", "shop"}) == "shop-gpu");
  CHECK(first_choice({{}, "", "", "docker/worker.Dockerfile", "shop"}) == "worker");
  CHECK(first_choice({{}, "", "", "ml/Dockerfile.gpu", "shop"}) == "ml-gpu");
}

TEST_CASE("of images that want one name each gets a longer one, and a number where there is none") {
  CHECK(assign_names({{"api", "one-api"}, {"api", "two-api"}}, {}) == Names{"one-api", "two-api"});
  CHECK(assign_names({{"api"}, {"api", "api-gpu"}}, {}) == Names{"api", "api-gpu"});
  CHECK(assign_names({{"api"}, {"api"}, {"web"}}, {"web"}) == Names{"api", "api-2", "web-2"});
}

TEST_CASE("a remote is told without its credentials") {
  const auto remote = parse_git_remote("https://user:token@github.com/Acme/Shop.git");
  REQUIRE(remote);
  CHECK(remote->host == "github.com");
  CHECK(remote->path == "acme/shop");
  CHECK(parse_git_remote("git@github.com:acme/shop.git")->path == "acme/shop");
  CHECK_FALSE(parse_git_remote("../elsewhere"));
}

}  // namespace
