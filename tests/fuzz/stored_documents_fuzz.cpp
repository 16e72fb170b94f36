#include <algorithm>
#include <fstream>

#include "base/temp_dir.hpp"
#include "registry/oci/reference.hpp"
#include "registry/store/attached.hpp"
#include "registry/store/image_names.hpp"
#include "registry/store/image_provenance.hpp"
#include "registry/store/layer_facts.hpp"
#include "registry/store/pending_pushes.hpp"
#include "registry/store/seen_places.hpp"
#include "tests/fuzz/attempt.hpp"

// Files of an image layout and of KILN_HOME that anybody may have written: the first byte says which of them the rest
// is.
namespace kiln::fuzz {

namespace {

// In memory: what is written by the code under test is synced.
struct Home {
  TempDir folder{"/dev/shm"};
  ContentStore store{HomeLayout::open(folder.path() / "home")};
  const HomeLayout& layout() const { return store.home(); }
};

Home& home() {
  static Home result;
  return result;
}

const oci::Digest& subject() {
  static const oci::Digest digest = oci::sha256_of("{}");
  return digest;
}

void write(const fs::path& file, std::string_view text) {
  make_directories(file.parent_path());
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
}

fs::path fact_in(const fs::path& folder) { return folder / std::string(subject().hex()); }

// Names that are taken away, and others that stay as they are.
void take_index(std::string_view text) {
  write(home().layout().oci() / "index.json", text);
  may_refuse(Category::machine, [&] {
    const std::vector<NamedImage> images = named_images(home().store);
    std::vector<std::string> names;
    for (const NamedImage& image : images) names.push_back(image.name);
    must_take("names that are there cannot be taken away", [&] {
      unpublish_images(home().store, names);
      for (const NamedImage& image : named_images(home().store)) require(image.name.empty(), "a name is still there");
    });
  });
}

void take_pending(std::string_view text) {
  write(home().layout().root() / "pending-pushes.json", text);
  const PendingPushes pushes(home().layout());
  may_refuse(Category::machine, [&] {
    const std::vector<PendingPush> before = pushes.list();
    PendingPush more;
    more.target = "a.b/c:1";
    more.root = {"a/b", subject(), 2, {}, {}, {}};
    must_take("a list with one more push is refused", [&] {
      pushes.update({}, std::vector{more});
      std::vector<PendingPush> after = pushes.list();
      std::erase(after, more);
      for (const PendingPush& push : after)
        require(std::find(before.begin(), before.end(), push) != before.end(), "a push that nobody left");
    });
  });
}

void take_places(std::string_view text) {
  write(fact_in(home().layout().seen_places()), text);
  for (const std::string& repository : seen_repositories(home().store, subject(), "registry.example"))
    require(oci::is_valid_repository(repository), "a place is none");
  note_seen_place(home().store, subject(), "registry.example", "acme/app", Seen::sent);
  const auto after = seen_repositories(home().store, subject(), "registry.example");
  require(std::find(after.begin(), after.end(), "acme/app") != after.end(), "what was noted is not there");
  require(after.size() <= kMostSeenPlacesOfRegistry, "too many places are kept");
}

void take_attached(std::string_view text) {
  write(fact_in(home().layout().attached()), text);
  const std::string key(64, 'b');
  attestation_of_image(home().store, subject(), key);
  note_attached(home().store, subject(), key, "registry.example/acme/app");
  require(was_attached(home().store, subject(), key, "registry.example/acme/app"), "what was noted is not there");
}

void take_provenance(std::string_view text) {
  write(fact_in(home().layout().provenance()), text);
  const auto before = provenance_of_image(home().store, subject());
  if (!before) return;
  keep_provenance(home().store, subject(), *before);
  require(provenance_of_image(home().store, subject()) == before, "what was kept is read as something else");
}

void take_facts(std::string_view text) {
  write(fact_in(home().layout().indexes()), text);
  write(fact_in(home().layout().blob_info()), text);
  index_of_layer(home().store, subject());
  if (const auto info = blob_info(home().store, subject())) {
    set_blob_info(home().store, subject(), *info);
    require(blob_info(home().store, subject()).has_value(), "what was set is not there");
  }
}

}  // namespace

void fuzz_one(std::string_view input) {
  if (input.empty()) return;
  const std::string_view text = input.substr(1);
  switch (input[0]) {
    case 'i':
      return take_index(text);
    case 'p':
      return take_pending(text);
    case 's':
      return take_places(text);
    case 'a':
      return take_attached(text);
    case 'o':
      return take_provenance(text);
    default:
      return take_facts(text);
  }
}

std::vector<std::string> seeds() {
  const std::string digest = subject().str();
  const std::string descriptor = R"("mediaType":"a/b","size":2,"digest":")" + digest + "\"";
  const std::string key(64, 'b');
  return {
      R"(i{"schemaVersion":2,"manifests":[{)" + descriptor +
          R"(,"annotations":{"org.opencontainers.image.ref.name":"app:1"},"platform":{"os":"linux","architecture":"arm"}}],"x":1})",
      R"(i{"manifests":[{)" + descriptor + R"(},{"annotations":null}]})",
      R"(p{"schema_version":1,"pushes":[{"target":"r.example/a:1","root":{)" + descriptor +
          R"(},"blobs":[{"digest":")" + digest +
          R"(","source":"r.example/b"}],"since":"2026-01-01T00:00:00Z","problem":"x"}]})",
      R"(p{"schema_version":2,"pushes":[]})",
      "sregistry.example/acme/app\nregistry.example/acme/b\na:5000/c\n",
      "a" + key + " at registry.example/acme/app\n" + key + " is " + digest + " 2\n",
      "o" + key + "\n{\"a\":[1]}\n",
      "f" + digest + " 2 a/b\n",
      "f" + digest + " 2\n"};
}

std::vector<std::string> words() {
  return {"{\"manifests\":[",
          "\"annotations\":{",
          "\"org.opencontainers.image.ref.name\":",
          "\"digest\":",
          "\"size\":",
          "\"mediaType\":",
          "\"platform\":",
          "\"pushes\":[",
          "\"target\":",
          "\"root\":{",
          "\"blobs\":[",
          "\"source\":",
          "\"since\":",
          "\"problem\":",
          "\"schema_version\":1",
          "registry.example/",
          " at ",
          " is ",
          "\n",
          "\t",
          "null",
          "[]",
          subject().str(),
          std::string(64, 'b'),
          "18446744073709551615"};
}

}  // namespace kiln::fuzz
