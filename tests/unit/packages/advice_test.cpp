#include "builder/packages/advice.hpp"

#include <doctest/doctest.h>

#include "builder/packages/version_order.hpp"

using namespace kiln;

namespace {

constexpr std::uint64_t kMega = 1'000'000;
enum class Cut { no, yes };

struct Has {
  std::string name, version;
  std::uint64_t bytes = 0;  // compressed; unpacked they are as many
  std::string folder = "lib/site-packages";
};

// An image of layers that are told by a name, which is their digest, and the packages in them.
class Built {
 public:
  explicit Built(const std::string& name) { image_.names = {name}; }
  // All of another one's layers.
  Built(const std::string& name, const Built& base) : image_(base.image_) { image_.names = {name}; }

  Built& layer(const std::string& id, std::uint64_t bytes, const std::vector<Has>& packages, Cut cut = Cut::no,
               bool is_ours = true) {
    const std::size_t number = image_.packages.layers.size();
    PackageLayer layer;
    layer.blob.digest = oci::sha256_of(id);
    layer.blob.size = bytes;
    layer.unpacked_bytes = bytes;
    image_.packages.layers.push_back(layer);
    AdvisedImage::Origin origin;
    if (is_ours)
      origin.line =
          StepLine{"images/" + image_.names.front() + "/Dockerfile", static_cast<int>(number) + 1, "RUN " + id};
    origin.is_cut = cut == Cut::yes;
    image_.origins.push_back(origin);
    for (const Has& has : packages) {
      Package package;
      package.stated = {Ecosystem::pypi, has.name, has.version, "", "", "", ""};
      package.purl = "pkg:pypi/" + has.name + "@" + has.version;
      package.locations = {has.folder + "/" + has.name + "-" + has.version + ".dist-info/METADATA"};
      package.layer = number;
      package.unpacked_bytes = package.compressed_bytes = has.bytes;
      image_.packages.packages.push_back(package);
    }
    return *this;
  }

  // The package is no longer seen: a layer above hides it.
  Built& hide(const std::string& name, std::size_t hidden_by) {
    std::vector<Package>& packages = image_.packages.packages;
    const auto found =
        std::find_if(packages.begin(), packages.end(), [&](const Package& p) { return p.stated.name == name; });
    image_.hidden.push_back(
        {found->stated, found->locations[0], found->layer, hidden_by, found->unpacked_bytes, found->compressed_bytes});
    packages.erase(found);
    return *this;
  }

  operator AdvisedImage() const { return image_; }

 private:
  AdvisedImage image_;
};

std::vector<Advice> sorted_advice(const std::vector<AdvisedImage>& images) {
  std::vector<Advice> advice = package_advice(images);
  sort_advice(advice);
  return advice;
}

using Bytes = std::map<std::string, std::int64_t>;

}  // namespace

TEST_CASE("of a package in two versions one layer is left, and the older one's line is to change") {
  const Built a = Built("a").layer("torch 1", 10 * kMega, {{"torch", "1", 10 * kMega}}, Cut::yes);
  const Built b = Built("b").layer("torch 2", 12 * kMega, {{"torch", "2", 12 * kMega}}, Cut::yes);
  const Built c = Built("c").layer("torch 2", 12 * kMega, {{"torch", "2", 12 * kMega}}, Cut::yes);
  const std::vector<Advice> advice = sorted_advice({a, b, c});
  REQUIRE(advice.size() == 1);
  CHECK(advice[0].kind == Advice::Kind::align);
  CHECK(advice[0].title == "torch is there in 2 versions in 3 images: 1, 2");
  CHECK(advice[0].fleet_bytes == 10 * kMega);
  CHECK(advice[0].update_bytes == 10 * kMega);
  CHECK(advice[0].image_bytes == Bytes{{"a", -2 * static_cast<std::int64_t>(kMega)}});
  CHECK_FALSE(advice[0].needs_cut);
  CHECK_FALSE(advice[0].is_share);
  REQUIRE(advice[0].changes.size() == 1);
  CHECK(advice[0].changes[0].at.file == "images/a/Dockerfile");
  CHECK(advice[0].changes[0].action == "install torch 2, not 1");
  CHECK(advice[0].changes[0].to == "2");
}

TEST_CASE("where layers are not cut, a large package is told with the cut, and its layers move whole today") {
  const Built a = Built("a").layer("a", 20 * kMega, {{"torch", "1", 10 * kMega}, {"six", "1", kMega}});
  const Built b = Built("b").layer("b", 30 * kMega, {{"torch", "2", 12 * kMega}, {"six", "2", kMega}});
  const std::vector<Advice> advice = sorted_advice({a, b});
  REQUIRE(advice.size() == 1);
  CHECK(advice[0].packages == std::vector<std::string>{"torch"});
  CHECK(advice[0].needs_cut);
  CHECK(advice[0].is_share);
  CHECK(advice[0].fleet_bytes == 10 * kMega);
  CHECK(advice[0].update_bytes == 38 * kMega);
}

TEST_CASE("a pool is saved where it comes to hold what another image's holds, and not otherwise") {
  const Built a = Built("a").layer("pool a", 3 * kMega, {{"idna", "1", kMega}, {"six", "1", 2 * kMega}}, Cut::yes);
  const Built b = Built("b").layer("pool b", 4 * kMega, {{"idna", "2", 2 * kMega}, {"six", "1", 2 * kMega}}, Cut::yes);
  const std::vector<Advice> equal = sorted_advice({a, b});
  REQUIRE(equal.size() == 1);
  CHECK(equal[0].fleet_bytes == 3 * kMega);
  CHECK(equal[0].image_bytes == Bytes{{"a", -static_cast<std::int64_t>(kMega)}});
  const Built other =
      Built("b").layer("pool b", 4 * kMega, {{"idna", "2", 2 * kMega}, {"yarl", "1", 2 * kMega}}, Cut::yes);
  CHECK(sorted_advice({a, other}).empty());
}

TEST_CASE("what a foreign base image brings cannot be changed, and what stands elsewhere is another package") {
  const Built a = Built("a").layer("foreign", 10 * kMega, {{"torch", "1", 10 * kMega}}, Cut::no, false);
  const Built b = Built("b").layer("torch 2", 12 * kMega, {{"torch", "2", 12 * kMega}}, Cut::yes);
  CHECK(sorted_advice({a, b}).empty());
  const Built c = Built("c").layer("venv", 10 * kMega, {{"torch", "1", 10 * kMega, "venv/site-packages"}}, Cut::yes);
  CHECK(sorted_advice({b, c}).empty());
}

TEST_CASE("what more than half of a base's children bring belongs into the base, all of one layer at once") {
  const Built root = Built("root").layer("root", kMega, {{"pip", "1", kMega}});
  const auto child = [&](const std::string& name, const std::vector<Has>& packages) {
    return Built(name, root).layer(name, 6 * kMega, packages);
  };
  const std::vector<Has> both = {{"numpy", "1", 3 * kMega}, {"six", "1", 2 * kMega}};
  const Built a = child("a", both), b = child("b", both), c = child("c", {{"yarl", "1", kMega}});
  const std::vector<Advice> advice = sorted_advice({root, a, b, c});
  REQUIRE(advice.size() == 1);
  CHECK(advice[0].kind == Advice::Kind::hoist);
  CHECK(advice[0].packages == std::vector<std::string>{"numpy", "six"});
  CHECK(advice[0].title == "numpy 1, six 1: 2 of the 3 images on root bring them, and it does not");
  CHECK(advice[0].fleet_bytes == 5 * kMega);
  CHECK(advice[0].update_bytes == 10 * kMega);
  CHECK(advice[0].image_bytes ==
        Bytes{{"root", -5 * static_cast<std::int64_t>(kMega)}, {"c", -5 * static_cast<std::int64_t>(kMega)}});
  REQUIRE(advice[0].changes.size() == 6);
  CHECK(advice[0].changes[0].at.file == "images/root/Dockerfile");
  CHECK(advice[0].changes[0].action == "install numpy 1 here");
  CHECK(advice[0].changes[2].action == "leave numpy 1 out: the base has it");
  SUBCASE("half of them is not enough") {
    const Built d = child("d", {});
    CHECK(sorted_advice({root, a, b, c, d}).empty());
  }
  SUBCASE("what they share already saves nothing") {
    const Built e = Built("e", root).layer("a", 6 * kMega, both),
                f = Built("f", root).layer("a", 6 * kMega, both).layer("f", 1, {});
    CHECK(sorted_advice({root, e, f}).empty());
  }
  SUBCASE("what the base has in another version is not hoisted") {
    const Built old = Built("root").layer("root", kMega, {{"numpy", "0", kMega}, {"six", "0", kMega}});
    const Built g = Built("g", old).layer("g", 6 * kMega, both), h = Built("h", old).layer("h", 6 * kMega, both);
    for (const Advice& found : sorted_advice({old, g, h})) CHECK(found.kind != Advice::Kind::hoist);
  }
}

TEST_CASE("of a package that a child upgrades over its base, the base's copy is dead") {
  const Built root = Built("root").layer("root", 5 * kMega, {{"numpy", "1", 3 * kMega}});
  const auto child = [&](const std::string& name) {
    return Built(name, root).hide("numpy", 1).layer(name, 4 * kMega, {{"numpy", "2", 4 * kMega}});
  };
  const Built a = child("a"), b = child("b");
  SUBCASE("with one child the old copy is saved") {
    const std::vector<Advice> advice = sorted_advice({root, a});
    REQUIRE(advice.size() == 1);
    CHECK(advice[0].kind == Advice::Kind::twice);
    CHECK(advice[0].title == "numpy 1 of images/root/Dockerfile:1 is hidden by 2 of images/a/Dockerfile:2");
    CHECK(advice[0].fleet_bytes == 3 * kMega);
    CHECK(advice[0].image_bytes == Bytes{{"root", -static_cast<std::int64_t>(kMega)}, {"a", 3 * kMega}});
    REQUIRE(advice[0].changes.size() == 2);
    CHECK(advice[0].changes[0].action == "install numpy 2, not 1");
    CHECK(advice[0].changes[1].action == "leave numpy 2 out: the layers below have it");
  }
  SUBCASE("with two children one of the new copies too") {
    const std::vector<Advice> advice = sorted_advice({root, a, b});
    REQUIRE(advice.size() == 1);
    CHECK(advice[0].fleet_bytes == (3 + 4) * kMega);
    CHECK(advice[0].update_bytes == 3 * kMega);
  }
}

TEST_CASE("an upgrade over a base is told once, though its versions could be aligned, too") {
  const Built root = Built("root").layer("root", 10 * kMega, {{"torch", "1", 10 * kMega}}, Cut::yes);
  const Built a = Built("a", root).hide("torch", 1).layer("a", 12 * kMega, {{"torch", "2", 12 * kMega}}, Cut::yes);
  const std::vector<Advice> advice = sorted_advice({root, a});
  REQUIRE(advice.size() == 1);
  CHECK(advice[0].kind == Advice::Kind::twice);
  CHECK(advice[0].fleet_bytes == 10 * kMega);
}

TEST_CASE("what a line installs and a later one removes is told, unless another image sees it") {
  const Built root = Built("root").layer("root", 5 * kMega, {{"gcc", "1", 3 * kMega}});
  const Built a = Built("a", root).hide("gcc", 1).layer("a", kMega, {});
  const std::vector<Advice> advice = sorted_advice({a});
  REQUIRE(advice.size() == 1);
  CHECK(advice[0].title == "gcc 1 of images/root/Dockerfile:1 is removed by images/a/Dockerfile:2");
  CHECK(advice[0].fleet_bytes == 3 * kMega);
  CHECK(advice[0].image_bytes == Bytes{{"a", 3 * kMega}});
  CHECK(sorted_advice({root, a}).empty());
}

TEST_CASE("a distribution in two site-packages of an image is told at the line of the upper one") {
  const std::string venv = "venv/lib/site-packages";
  const Built a = Built("a")
                      .layer("system", 3 * kMega, {{"numpy", "1", 3 * kMega}, {"six", "1", kMega}})
                      .layer("venv", 4 * kMega, {{"numpy", "2", 4 * kMega, venv}, {"six", "1", kMega, "app/_vendor"}});
  const std::vector<Advice> advice = sorted_advice({a});
  REQUIRE(advice.size() == 1);
  CHECK(advice[0].title == "numpy 2: in /lib/site-packages and in /venv/lib/site-packages of a");
  CHECK(advice[0].fleet_bytes == 4 * kMega);
  CHECK(advice[0].image_bytes == Bytes{{"a", 4 * kMega}});
  REQUIRE(advice[0].changes.size() == 1);
  CHECK(advice[0].changes[0].at.line == 2);
}

TEST_CASE("the largest saving comes first, by fleet or by update, and small ones not at all") {
  std::vector<Advice> advice(4);
  advice[0].fleet_bytes = 100'000;
  advice[1].update_bytes = 300'000;
  advice[2].fleet_bytes = kLeastAdvisedBytes - 1;
  advice[3].fleet_bytes = 200'000;
  sort_advice(advice);
  REQUIRE(advice.size() == 3);
  CHECK(advice[0].update_bytes == 300'000);
  CHECK(advice[1].fleet_bytes == 200'000);
  CHECK(advice[2].fleet_bytes == 100'000);
}

TEST_CASE("versions are ordered as their ecosystems order them") {
  const auto in_order = [](Ecosystem ecosystem, const std::vector<std::string>& versions) {
    for (std::size_t i = 0; i + 1 < versions.size(); ++i) {
      CAPTURE(versions[i]);
      CHECK(is_older_version(ecosystem, versions[i], versions[i + 1]));
      CHECK_FALSE(is_older_version(ecosystem, versions[i + 1], versions[i]));
    }
  };
  in_order(Ecosystem::pypi,
           {"1.0.dev1", "1.0a2", "1.0b1", "1.0rc1", "1.0", "1.0.post1", "1.0.1", "1.2", "1.10", "2", "1!0.1"});
  in_order(Ecosystem::deb, {"1.0~rc1-1", "1.0-1", "1.0-1+deb12u1", "1.0-1+deb12u10", "1.0.1-1", "1:0.9"});
  in_order(Ecosystem::npm, {"1.0.0-alpha.1", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.1.0", "10.0.0"});
  CHECK_FALSE(is_older_version(Ecosystem::pypi, "1.01", "1.1"));
  CHECK_FALSE(is_older_version(Ecosystem::pypi, "1.1", "1.01"));
}
