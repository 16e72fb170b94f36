#include "builder/release/compose_pin.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

const std::string kDigest = oci::sha256_of("app").str();

// Knows every image of ghcr.io/acme.
std::optional<oci::Digest> known(const oci::Reference& reference) {
  return reference.name().starts_with("ghcr.io/acme/") ? std::optional(oci::sha256_of("app")) : std::nullopt;
}

ComposePin pin(const std::string& text) { return pin_compose(text, "compose.yaml", known); }

std::string reason(const std::string& text) {
  const ComposePin pinned = pin(text);
  CHECK(pinned.text == text);
  REQUIRE(pinned.services.size() == 1);
  CHECK(pinned.services[0].outcome == PinnedService::Outcome::unpinned);
  return pinned.services[0].reason;
}

}  // namespace

TEST_CASE("only the bytes of image references change") {
  const std::string before =
      "# Überschrift: a comment with characters of several bytes \xF0\x9F\x9A\x80\n"
      "services:\n"
      "    app:   # odd indentation\n"
      "        image:    ghcr.io/acme/app:latest   # why latest\n"
      "        labels: {image: ghcr.io/acme/label:1}\n"
      "\n"
      "    'quoted': {image: 'ghcr.io/acme/b', ports: [ \"80:80\" ]}\n"
      "    double:\n"
      "        \"image\": \"ghcr.io/acme/c:2@sha256:" +
      std::string(64, '0') +
      "\"\n"
      "    db: { image: postgres:16 }\n"
      "x-image: ghcr.io/acme/app:latest\n"
      "...\n";
  const ComposePin pinned = pin(before);
  std::string expected = before;
  const auto replace = [&](const std::string& what, const std::string& by) {
    expected.replace(expected.find(what), what.size(), by);
  };
  replace("ghcr.io/acme/app:latest ", "ghcr.io/acme/app:latest@" + kDigest + " ");
  replace("'ghcr.io/acme/b'", "'ghcr.io/acme/b@" + kDigest + "'");
  replace("c:2@sha256:" + std::string(64, '0'), "c:2@" + kDigest);
  CHECK(pinned.text == expected);
  REQUIRE(pinned.services.size() == 4);
  CHECK(pinned.services[0].service == "app");
  CHECK(pinned.services[0].line == 4);
  CHECK(pinned.services[3].outcome == PinnedService::Outcome::unknown);
  CHECK(pin(pinned.text).text == pinned.text);
  CHECK(differ_in_pins_alone(before, pinned.text, "compose.yaml"));
  std::string edited = pinned.text;
  edited.replace(edited.find("80:80"), 5, "81:80");
  CHECK_FALSE(differ_in_pins_alone(before, edited, "compose.yaml"));
}

TEST_CASE("whatever was written since a file was pinned is a difference, a comment and another tag too") {
  const std::string before = "services:\n  app:\n    image: ghcr.io/acme/app:1  # the app\n    tty: true\n";
  const std::string pinned = pin(before).text;
  CHECK(differ_in_pins_alone(before, pinned, "compose.yaml"));
  for (const auto& [place, added] :
       std::vector<std::pair<std::string, std::string>>{{"tty: true", "tty: true  # since then"},
                                                        {"# the app", "# the app, pinned"},
                                                        {"services:", "# top\nservices:"},
                                                        {"    tty", "\n    tty"},
                                                        {"app:1@", "app:2@"},
                                                        {"image: ", "image:  "},
                                                        {"tty: true\n", "tty: true\n# end\n"}}) {
    CAPTURE(added);
    std::string edited = pinned;
    edited.replace(edited.find(place), place.size(), added);
    REQUIRE(edited != pinned);
    CHECK_FALSE(differ_in_pins_alone(before, edited, "compose.yaml"));
  }
}

TEST_CASE("line ends of DOS and a byte order mark are kept") {
  const std::string before =
      "\xEF\xBB\xBF"
      "services:\r\n  app:\r\n    image: ghcr.io/acme/app\r\n    tty: true\r\n";
  CHECK(pin(before).text ==
        "\xEF\xBB\xBF"
        "services:\r\n  app:\r\n    image: ghcr.io/acme/app@" +
            kDigest + "\r\n    tty: true\r\n");
}

TEST_CASE("every document of a file is pinned") {
  const std::string before =
      "---\nservices: {a: {image: ghcr.io/acme/a}}\n---\n# the second\nservices:\n  b: {image: ghcr.io/acme/b, tty: "
      "true}\n";
  const ComposePin pinned = pin(before);
  CHECK(pinned.text == "---\nservices: {a: {image: ghcr.io/acme/a@" + kDigest +
                           "}}\n---\n# the second\nservices:\n  b: {image: ghcr.io/acme/b@" + kDigest +
                           ", tty: true}\n");
  REQUIRE(pinned.services.size() == 2);
  CHECK(pinned.services[1].line == 6);
}

TEST_CASE("what cannot be pinned where it stands is named and stays") {
  CHECK(reason("services:\n  a:\n    image: ghcr.io/acme/app:${TAG:-latest}\n") == "it holds a variable");
  CHECK(reason("x: &i ghcr.io/acme/app\nservices:\n  a:\n    image: *i\n").find("alias '*i'") != std::string::npos);
  CHECK(reason("services:\n  a:\n    image: &i ghcr.io/acme/app\n").find("anchor '&i'") != std::string::npos);
  CHECK(reason("services:\n  a:\n    image: >-\n      ghcr.io/acme/app\n") == "it is a block scalar");
  CHECK(reason("services:\n  a:\n    image: !!str ghcr.io/acme/app\n") == "it carries a tag");
  CHECK(reason("x: &b {image: ghcr.io/acme/app}\nservices:\n  a:\n    <<: *b\n    tty: true\n").find("merge key") !=
        std::string::npos);
  CHECK(reason("x: &b {image: ghcr.io/acme/app}\nservices:\n  a: *b\n").find("alias '*b'") != std::string::npos);
  CHECK(reason("services:\n  a:\n    extends: {file: other.yaml, service: b}\n").find("extends") != std::string::npos);
  CHECK(reason("services:\n  a:\n    image: [ghcr.io/acme/app]\n") == "it is no text");
  CHECK_FALSE(reason("services:\n  a:\n    image: Not A Name\n").empty());
}

TEST_CASE("an image of its own wins over a merge key, and a service that is built needs none") {
  const ComposePin pinned =
      pin("x: &b {tty: true}\nservices:\n  a:\n    <<: *b\n    image: ghcr.io/acme/app\n  built:\n    build: .\n    "
          "<<: *b\n");
  REQUIRE(pinned.services.size() == 1);
  CHECK(pinned.services[0].outcome == PinnedService::Outcome::pinned);
}

TEST_CASE("what is no compose file is refused with its line") {
  for (const std::string text : {"", "services: {}\n", "[1]\n", "a: b\n", "services:\n  a: [\n", "services:\n\ta: b\n",
                                 "\xFF\xFE", "services: {a: {image: \xC3}}\n"}) {
    CAPTURE(text);
    const std::string message = error_of([&] { pin(text); });
    CAPTURE(message);
    CHECK(message.starts_with("usage: "));
    CHECK(message.find("compose.yaml") != std::string::npos);
  }
}
