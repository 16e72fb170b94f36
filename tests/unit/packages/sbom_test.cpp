#include "builder/packages/sbom.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

using namespace kiln;
using nlohmann::json;

namespace {

SbomSubject subject() {
  SbomSubject subject;
  subject.name = "ghcr.io/acme/app:1";
  subject.repository = "ghcr.io/acme/app";
  subject.tag = "1";
  subject.manifest = oci::sha256_of("manifest");
  subject.platform.os = "linux";
  subject.platform.architecture = "amd64";
  subject.tool_version = "1.2.3";
  return subject;
}

ImagePackages packages() {
  ImagePackages image;
  image.layers.push_back({{"layer", oci::sha256_of("blob"), 10, {}, {}, {}}, oci::sha256_of("tar"), "RUN x", 100, 0});
  const auto add = [&](StatedPackage stated) -> Package& {
    Package package;
    package.stated = std::move(stated);
    package.purl = package_url(package.stated, {"debian", "12"});
    package.locations = {"where/it/is"};
    image.packages.push_back(std::move(package));
    return image.packages.back();
  };
  const std::string whole = add({Ecosystem::deb, "python3-idna", "3.3-1", "all", "Expat AND odd words", "", ""}).purl;
  add({Ecosystem::pypi, "idna", "3.3", "", "BSD-3-Clause", "", ""}).part_of = whole;
  add({Ecosystem::npm, "@s/x", "1", "", "MIT OR ISC", "", ""});
  add({Ecosystem::npm, "@s/x", "2", "", "", "", ""});
  return image;
}

}  // namespace

TEST_CASE("SPDX has what the specification requires, and every reference leads somewhere") {
  const json document = json::parse(spdx_json(subject(), packages()));
  CHECK(document["spdxVersion"] == "SPDX-2.3");
  CHECK(document["dataLicense"] == "CC0-1.0");
  CHECK(document["creationInfo"]["created"] == "1980-01-01T00:00:00Z");
  CHECK(document["creationInfo"]["creators"] == json::array({"Tool: kiln-1.2.3"}));
  std::set<std::string> ids = {"SPDXRef-DOCUMENT"};
  for (const json& package : document["packages"]) {
    const std::string id = package["SPDXID"];
    CHECK(id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
          std::string::npos);
    CHECK(ids.insert(id).second);
    CHECK(package["downloadLocation"] == "NOASSERTION");
    CHECK(package["externalRefs"][0]["referenceLocator"].get<std::string>().starts_with("pkg:"));
  }
  CHECK(document["packages"].size() == 5);
  for (const json& relationship : document["relationships"]) {
    CHECK(ids.count(relationship["spdxElementId"]) == 1);
    CHECK(ids.count(relationship["relatedSpdxElement"]) == 1);
  }
  CHECK(document["relationships"][0]["relationshipType"] == "DESCRIBES");
  // The distribution is in Debian's package, that in the image.
  CHECK(document["relationships"][1]["spdxElementId"] == "SPDXRef-Image");
  CHECK(document["relationships"][2]["spdxElementId"] == document["packages"][1]["SPDXID"]);
  CHECK(document["packages"][2]["licenseDeclared"] == "BSD-3-Clause");
  CHECK(document["packages"][4]["licenseDeclared"] == "NOASSERTION");
  REQUIRE(document["hasExtractedLicensingInfos"].size() == 1);
  const std::string reference = document["hasExtractedLicensingInfos"][0]["licenseId"];
  CHECK(document["packages"][1]["licenseDeclared"] == "MIT AND " + reference);
  CHECK(document["packages"][1]["sourceInfo"] ==
        "stated by /where/it/is; from layer " + oci::sha256_of("tar").str() + ", made by: RUN x");
}

TEST_CASE("CycloneDX has what its schema requires, licences each in its form") {
  const json document = json::parse(cyclonedx_json(subject(), packages()));
  CHECK(document["bomFormat"] == "CycloneDX");
  CHECK(document["specVersion"] == "1.6");
  CHECK(document["version"] == 1);
  CHECK(document["metadata"]["timestamp"] == "1980-01-01T00:00:00Z");
  CHECK(document["metadata"]["component"]["purl"] ==
        "pkg:oci/app@" + oci::sha256_of("manifest").str() + "?arch=amd64&repository_url=ghcr.io/acme/app&tag=1");
  const std::string number = document["serialNumber"];
  CHECK(number.starts_with("urn:uuid:"));
  CHECK(number.size() == 9 + 36);
  std::set<std::string> references = {"image"};
  for (const json& component : document["components"]) CHECK(references.insert(component["bom-ref"]).second);
  const json& components = document["components"];
  REQUIRE(components.size() == 4);
  CHECK(components[0]["licenses"][0]["license"]["name"] == "Expat AND odd words");
  CHECK(components[1]["licenses"][0]["license"]["id"] == "BSD-3-Clause");
  CHECK(components[2]["licenses"][0]["expression"] == "MIT OR ISC");
  CHECK_FALSE(components[3].contains("licenses"));
}

TEST_CASE("files stand in their packages, with the digests that the layers' indexes have") {
  ImagePackages image = packages();
  const oci::Digest content = oci::sha256_of("content");
  image.files = {{"etc/passwd", content, 0, {}}, {"usr/lib/idna.py", content, 0, 1}};
  const json spdx = json::parse(spdx_json(subject(), image));
  REQUIRE(spdx["files"].size() == 2);
  CHECK(spdx["files"][0]["fileName"] == "./etc/passwd");
  CHECK(spdx["files"][1]["checksums"] ==
        json::array({{{"algorithm", "SHA256"}, {"checksumValue", std::string(content.hex())}}}));
  CHECK(spdx["files"][0]["SPDXID"] != spdx["files"][1]["SPDXID"]);
  const json& relationships = spdx["relationships"];
  CHECK(relationships[relationships.size() - 2]["spdxElementId"] == "SPDXRef-Image");
  CHECK(relationships.back()["spdxElementId"] == spdx["packages"][2]["SPDXID"]);
  CHECK(relationships.back()["relatedSpdxElement"] == spdx["files"][1]["SPDXID"]);
  const json components = json::parse(cyclonedx_json(subject(), image))["components"];
  REQUIRE(components.size() == 5);
  CHECK(components[4]["name"] == "/etc/passwd");
  CHECK(components[1]["components"][0] ==
        json{{"type", "file"},
             {"name", "/usr/lib/idna.py"},
             {"hashes", json::array({{{"alg", "SHA-256"}, {"content", std::string(content.hex())}}})}});
}

TEST_CASE("CycloneDX names the system and the source packages, by which scanners know vulnerabilities") {
  ImagePackages image = packages();
  image.distribution = {"debian", "12"};
  image.packages[0].stated.source = "idna";
  image.packages[0].stated.source_version = "3.3";
  const json components = json::parse(cyclonedx_json(subject(), image))["components"];
  CHECK(components[0] ==
        json{{"type", "operating-system"}, {"bom-ref", "operating-system"}, {"name", "debian"}, {"version", "12"}});
  const auto value_of = [](const json& component, const std::string& name) {
    for (const json& property : component["properties"])
      if (property["name"] == name) return property["value"].get<std::string>();
    return std::string("none");
  };
  CHECK(value_of(components[1], "aquasecurity:trivy:SrcName") == "idna");
  CHECK(value_of(components[1], "aquasecurity:trivy:SrcVersion") == "3.3");
  CHECK(value_of(components[2], "aquasecurity:trivy:SrcName") == "none");
}

TEST_CASE("the same image gives the same bytes, another image other names of documents") {
  CHECK(spdx_json(subject(), packages()) == spdx_json(subject(), packages()));
  CHECK(cyclonedx_json(subject(), packages()) == cyclonedx_json(subject(), packages()));
  SbomSubject other = subject();
  other.manifest = oci::sha256_of("other");
  CHECK(json::parse(spdx_json(other, packages()))["documentNamespace"] !=
        json::parse(spdx_json(subject(), packages()))["documentNamespace"]);
  CHECK(json::parse(cyclonedx_json(other, packages()))["serialNumber"] !=
        json::parse(cyclonedx_json(subject(), packages()))["serialNumber"]);
}
