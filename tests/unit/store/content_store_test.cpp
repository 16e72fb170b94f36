#include "registry/store/content_store.hpp"

#include <doctest/doctest.h>

#include <array>

#include "base/atomic_file.hpp"
#include "base/process.hpp"
#include "base/thread_pool.hpp"
#include "registry/store/closure.hpp"
#include "registry/store/image_names.hpp"
#include "registry/store/layer_facts.hpp"
#include "registry/store/verifying_reader.hpp"
#include "tests/support/forked_child.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

namespace {

void publish(ContentStore& store, const std::string& name, const oci::Descriptor& descriptor) {
  const NamedImage image{name, descriptor};
  publish_images(store, {&image, 1});
}

}  // namespace

TEST_CASE_FIXTURE(StoreFixture, "a blob that is not there, empty or of another algorithm is not in the store") {
  CHECK_FALSE(store.has(oci::sha256_of("nothing")));
  CHECK_FALSE(store.has(oci::Digest()));
  CHECK_FALSE(store.has(oci::Digest::parse("sha512:" + std::string(128, '0'))));
  const std::string error = error_of([&] { store.read(oci::sha256_of("nothing")); });
  CHECK(error.starts_with("machine: blob 'sha256:"));
  CHECK(error.find("is not in the store") != std::string::npos);
}

TEST_CASE_FIXTURE(StoreFixture, "a flipped bit is found by every way of reading") {
  const oci::Digest digest = store.put("pristine", "text/plain").digest;
  write_file_atomically(store.path_of(digest), "pristinf");
  CHECK(error_of([&] { store.read(digest); }).find("is damaged") != std::string::npos);
  VerifyingReader reader(store, digest);
  char buffer[3];
  CHECK(reader.read(buffer, sizeof buffer) == 3);
  CHECK(error_of([&] { reader.finish(); }).find("run 'kiln cache verify'") != std::string::npos);
}

TEST_CASE_FIXTURE(StoreFixture,
                  "a large blob is hashed where it comes from another process, and once where it was written here") {
  const std::string bytes(3 << 20, 'x');
  const oci::Digest digest = store.put(bytes, "text/plain").digest;
  write_file_atomically(store.path_of(digest), std::string(3 << 20, 'y'));
  CHECK(error_of([&] { VerifyingReader(store, digest).finish(); }).empty());
  const ContentStore other(HomeLayout::open(store.home().root()));
  CHECK(error_of([&] { VerifyingReader(other, digest).finish(); }).find("is damaged") != std::string::npos);
  store.remove_damaged(digest);
  write_file_atomically(store.path_of(digest), std::string(3 << 20, 'y'));
  CHECK(error_of([&] { VerifyingReader(store, digest).finish(); }).find("is damaged") != std::string::npos);
}

TEST_CASE_FIXTURE(StoreFixture, "a verifying reader that stops early still verifies the rest") {
  const oci::Digest digest = store.put("a tar and its padding", "text/plain").digest;
  VerifyingReader reader(store, digest);
  char buffer[5];
  CHECK(reader.read(buffer, sizeof buffer) == 5);
  CHECK(std::string(buffer, 5) == "a tar");
  CHECK(error_of([&] { reader.finish(); }).empty());
}

TEST_CASE_FIXTURE(StoreFixture, "a blob larger than the caller allows is not read") {
  const oci::Digest digest = store.put("0123456789", "text/plain").digest;
  CHECK(store.read(digest, 10) == "0123456789");
  CHECK(error_of([&] { store.read(digest, 9); }).find("larger than the 9 bytes") != std::string::npos);
}

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

TEST_CASE_FIXTURE(StoreFixture, "a truncated layer counts as missing") {
  const oci::Descriptor image = put_image(store, "{}", {"whole layer"});
  write_file_atomically(store.path_of(oci::sha256_of("whole layer")), "whole");
  CHECK(missing_blobs(store, image).size() == 1);
  CHECK_FALSE(error_of([&] { publish(store, "app", image); }).empty());
}

TEST_CASE_FIXTURE(StoreFixture, "an index reaches the blobs of all its images, each once") {
  const oci::Descriptor one = put_image(store, "{\"one\":1}", {"shared", "own"});
  const oci::Descriptor two = put_image(store, "{\"two\":2}", {"shared"});
  oci::Index index;
  index.manifests = {one, two};
  const oci::Descriptor root = store.put(oci::serialise(index), index.media_type);
  CHECK(closure_of(store, root).size() == 7);
  CHECK(missing_blobs(store, root).empty());
  fs::remove(store.path_of(two.digest));
  REQUIRE(missing_blobs(store, root).size() == 1);
  CHECK(missing_blobs(store, root)[0].digest == two.digest);
  CHECK_FALSE(error_of([&] { closure_of(store, root); }).empty());
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

TEST_CASE_FIXTURE(StoreFixture, "facts about layers are kept, and vanish with the blob they name") {
  const oci::Digest diff_id = oci::sha256_of("tar"), blob = oci::sha256_of("gzip");
  CHECK_FALSE(index_of_layer(store, diff_id));
  CHECK_FALSE(blob_info(store, blob));
  const oci::Descriptor index = store.put("the file index", "application/vnd.dev.kiln.index.v1");
  set_index_of_layer(store, diff_id, index);
  set_blob_info(store, blob, {diff_id, 12345});
  const HomeLayout same = HomeLayout::open(home.root());
  ContentStore other(same);
  REQUIRE(index_of_layer(other, diff_id));
  CHECK(*index_of_layer(other, diff_id) == index);
  REQUIRE(blob_info(other, blob));
  CHECK(blob_info(other, blob)->diff_id == diff_id);
  CHECK(blob_info(other, blob)->uncompressed_bytes == 12345);
  fs::remove(store.path_of(index.digest));
  CHECK_FALSE(index_of_layer(store, diff_id));
}

TEST_CASE_FIXTURE(StoreFixture, "a damaged fact is no fact") {
  const oci::Digest digest = oci::sha256_of("x");
  for (const char* text : {"", "\n", "sha256:zz 5 a\n", "12", "sha256:", "\xff\xff\xff"}) {
    write_file_atomically(home.indexes() / std::string(digest.hex()), text);
    write_file_atomically(home.blob_info() / std::string(digest.hex()), text);
    CHECK_FALSE(index_of_layer(store, digest));
    CHECK_FALSE(blob_info(store, digest));
  }
}

TEST_CASE_FIXTURE(StoreFixture, "many threads write, name and read at once") {
  ThreadPool pool(8);
  pool.parallel_for(64, [&](std::size_t i) {
    const std::string own = "layer " + std::to_string(i);
    const NamedImage image{"image-" + std::to_string(i), put_image(store, "{}", {own, "shared by all"})};
    publish_images(store, {&image, 1});
    store.put("ephemeral " + std::to_string(i % 4), "text/plain", Durability::ephemeral);
    store.sync();
    CHECK(store.read(oci::sha256_of(own)) == own);
  });
  CHECK(named_images(store).size() == 64);
  for (const NamedImage& image : named_images(store)) CHECK(missing_blobs(store, image.descriptor).empty());
  CHECK(list_directory(home.tmp()).empty());
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
