#include "registry/store/image_names.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "base/process.hpp"
#include "registry/store/closure.hpp"
#include "tests/support/forked_child.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

namespace {

void publish(ContentStore& store, const std::string& name, const oci::Descriptor& descriptor) {
  const NamedImage image{name, descriptor};
  publish_images(store, {&image, 1});
}

}  // namespace

TEST_CASE_FIXTURE(StoreFixture, "a published image is found by its name, and a name that exists moves") {
  const oci::Descriptor one = put_image(store, "{\"one\":1}", {"layer"});
  const oci::Descriptor two = put_image(store, "{\"two\":2}", {"layer"});
  publish(store, "ghcr.io/acme/app:1", one);
  REQUIRE(find_image(store, "ghcr.io/acme/app:1"));
  CHECK(find_image(store, "ghcr.io/acme/app:1")->digest == one.digest);
  CHECK_FALSE(find_image(store, "ghcr.io/acme/app:2"));
  publish(store, "ghcr.io/acme/app:1", two);
  CHECK(find_image(store, "ghcr.io/acme/app:1")->digest == two.digest);
  CHECK(named_images(store).size() == 1);
}

TEST_CASE_FIXTURE(StoreFixture, "several images are named by one write, and taken out again") {
  const std::vector<NamedImage> both{{"a", put_image(store, "{\"a\":1}", {})},
                                     {"b", put_image(store, "{\"b\":1}", {})}};
  publish_images(store, both);
  CHECK(names_of(named_images(store)) == std::vector<std::string>{"a", "b"});
  const std::vector<std::string> names{"b", "c"};
  CHECK(unpublish_images(store, names) == std::vector<std::string>{"b"});
  CHECK(names_of(named_images(store)) == std::vector<std::string>{"a"});
}

TEST_CASE_FIXTURE(StoreFixture, "an image that lacks a blob is never named") {
  const oci::Descriptor image = put_image(store, "{}", {"present", "absent"});
  fs::remove(store.path_of(oci::sha256_of("absent")));
  const std::string error = error_of([&] { publish(store, "app", image); });
  CHECK(error.find("1 of its blobs are not in the store, the first is '" + oci::sha256_of("absent").str() + "'") !=
        std::string::npos);
  CHECK(named_images(store).empty());
  CHECK(missing_blobs(store, image).size() == 1);
}

TEST_CASE_FIXTURE(StoreFixture, "publishing what is named already writes nothing") {
  const oci::Descriptor image = put_image(store, "{}", {});
  publish(store, "app", image);
  const auto before = fs::last_write_time(index_path());
  const auto text = read_file(index_path());
  publish(store, "app", image);
  CHECK(fs::last_write_time(index_path()) == before);
  CHECK(read_file(index_path()) == text);
}

TEST_CASE_FIXTURE(StoreFixture, "what others wrote into index.json stays") {
  const oci::Descriptor image = put_image(store, "{}", {});
  const oci::Digest foreign = oci::sha256_of("foreign");
  write_file_atomically(index_path(),
                        R"({"schemaVersion":2,"x-note":"mine","manifests":[{"mediaType":"application/x","digest":")" +
                            foreign.str() + R"(","size":7,"urls":["http://example.com"],"annotations":{"k":"v"}}]})");
  publish(store, "app", image);
  const std::string text = read_file(index_path());
  CHECK(text.find("\"x-note\":\"mine\"") != std::string::npos);
  CHECK(text.find("\"urls\":[\"http://example.com\"]") != std::string::npos);
  CHECK(text.find("\"k\":\"v\"") != std::string::npos);
  REQUIRE(named_images(store).size() == 2);
  CHECK(named_images(store)[0].name.empty());
  CHECK(named_images(store)[0].descriptor.digest == foreign);
}

TEST_CASE_FIXTURE(StoreFixture, "an image's own annotations travel with it") {
  oci::Descriptor image = put_image(store, "{}", {});
  image.annotations["dev.kiln.note"] = "kept";
  image.platform = oci::Platform::parse("linux/arm64");
  publish(store, "app", image);
  const auto found = find_image(store, "app");
  REQUIRE(found);
  CHECK(found->annotations.at("dev.kiln.note") == "kept");
  CHECK(found->annotations.at("org.opencontainers.image.ref.name") == "app");
  CHECK(found->platform == image.platform);
}

TEST_CASE_FIXTURE(StoreFixture, "a name that cannot be written is refused") {
  const oci::Descriptor image = put_image(store, "{}", {});
  CHECK(error_of([&] { publish(store, "", image); }).starts_with("usage: "));
  CHECK(error_of([&] { publish(store, "a\xff", image); }).starts_with("usage: "));
  CHECK(error_of([&] { publish(store, "a\nb", image); }) == "usage: 'a\\x0ab' cannot be the name of an image");
}

TEST_CASE_FIXTURE(StoreFixture, "several processes name images in one store and none is lost") {
  constexpr int kEach = 12;
  const auto writer = [&](const std::string& prefix) {
    return [this, prefix](ForkedChild::Link&) {
      ContentStore own(HomeLayout::open(home.root()));
      for (int i = 0; i < kEach; ++i) {
        const std::string name = prefix + std::to_string(i);
        const NamedImage image{name, put_image(own, "{}", {name})};
        publish_images(own, {&image, 1});
      }
      return 0;
    };
  };
  ForkedChild a(writer("a")), b(writer("b")), c(writer("c"));
  for (ForkedChild* child : {&a, &b, &c}) REQUIRE(child->wait() == 0);
  CHECK(named_images(store).size() == 3 * kEach);
}

TEST_CASE_FIXTURE(StoreFixture, "skopeo reads the store in place, by full references too") {
  if (!find_program("skopeo")) {
    MESSAGE("skipped: skopeo is not installed");
    return;
  }
  const std::string layer(1024, '\0');  // an empty tar
  const std::string config =
      R"({"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[")" +
      oci::sha256_of(layer).str() + R"("]}})";
  const oci::Descriptor image = put_image(store, config, {layer});
  for (const std::string name : {"app", "ghcr.io/acme/app:1", "localhost:5000/app:latest"}) {
    publish(store, name, image);
    const CommandResult result = run_command({.argv = {"skopeo", "inspect", "oci:" + home.oci().native() + ":" + name},
                                              .environment = {},
                                              .working_directory = {},
                                              .stdin_bytes = {}},
                                             CancelToken());
    CAPTURE(name);
    CAPTURE(result.stderr_bytes);
    CHECK(result.exit_code == 0);
    CHECK(result.stdout_bytes.find(image.digest.str()) != std::string::npos);
  }
}
