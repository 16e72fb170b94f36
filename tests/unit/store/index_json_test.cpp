#include "registry/store/index_json.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "registry/store/closure.hpp"
#include "registry/store/garbage.hpp"
#include "registry/store/image_names.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

TEST_CASE_FIXTURE(StoreFixture, "hostile index files are refused as a fault of this machine, naming the file") {
  const std::string digest = oci::sha256_of("x").str();
  struct Case {
    std::string text, says;
  };
  for (const Case& bad : {
           Case{"", "syntax error"},
           {"[]", "expected an object with a list 'manifests'"},
           {"{}", "expected an object with a list 'manifests'"},
           {R"({"manifests":{}})", "expected an object with a list 'manifests'"},
           {R"({"manifests":[1]})", "an entry of 'manifests' is not an object"},
           {R"({"manifests":[],"manifests":[]})", "duplicate key 'manifests'"},
           {R"({"manifests":[{}]})", "is not of the form sha256:"},
           {R"({"manifests":[{"digest":"../../../etc/passwd","size":1}]})", "is not of the form sha256:"},
           {R"({"manifests":[{"digest":")" + digest + R"("}]})", "'size': expected a number of bytes"},
           {R"({"manifests":[{"digest":")" + digest + R"(","size":-1}]})", "'size': expected a number of bytes"},
           {R"({"manifests":[{"digest":")" + digest + R"(","size":1.5}]})", "'size': expected a whole number"},
           {R"({"manifests":[{"digest":")" + digest + R"(","size":1,"annotations":[]}]})", "'annotations': expected"},
           {std::string(100, '[') + std::string(100, ']'), "nested deeper than 64 levels"},
           {"{\"manifests\":[]} x", "syntax error"},
           {"{\"manifests\":[],\"a\":\"\xff\"}", "syntax error"},
       }) {
    CAPTURE(bad.text);
    write_file_atomically(index_path(), bad.text);
    const std::string error = error_of([&] { named_images(store); });
    CAPTURE(error);
    CHECK(error.starts_with("machine: image layout '" + index_path().native() + "'"));
    CHECK(error.find(bad.says) != std::string::npos);
  }
}

TEST_CASE_FIXTURE(StoreFixture, "a damaged index file is never written over") {
  const NamedImage image{"app", put_image(store, "{}", {})};
  write_file_atomically(index_path(), R"({"manifests":[],"manifests":[]})");
  CHECK_FALSE(error_of([&] { publish_images(store, {&image, 1}); }).empty());
  CHECK_FALSE(error_of([&] { collect_garbage_except(store, {}, DryRun::no); }).empty());
  CHECK(read_file(index_path()) == R"({"manifests":[],"manifests":[]})");
  CHECK(missing_blobs(store, image.descriptor).empty());
}

TEST_CASE_FIXTURE(StoreFixture, "an entry whose name is no text has no name") {
  const std::string digest = oci::sha256_of("x").str();
  write_file_atomically(index_path(), R"({"manifests":[{"mediaType":"a","digest":")" + digest + R"(","size":1},)" +
                                          R"({"mediaType":"a","digest":")" + digest +
                                          R"(","size":1,"annotations":{"org.opencontainers.image.ref.name":"n"}}]})");
  CHECK(names_of(named_images(store)) == std::vector<std::string>{"", "n"});
}
