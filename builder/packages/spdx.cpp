// SPDX 2.3 (spdx.github.io/spdx-spec/v2.3): the image is a package that contains the others. Files are listed where
// they were asked for, with the sha256 of the layers' indexes; the SHA-1 that the specification wants beside it would
// mean reading every file again.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/packages/licence.hpp"
#include "builder/packages/sbom.hpp"

namespace kiln {

namespace {

using nlohmann::json;

constexpr char kUnstated[] = "NOASSERTION";
constexpr char kImageElement[] = "SPDXRef-Image";

std::string spdx_id(const Package& package) { return "SPDXRef-Package-" + element_name(package); }

json purl_reference(const std::string& purl) {
  return json::array(
      {{{"referenceCategory", "PACKAGE-MANAGER"}, {"referenceType", "purl"}, {"referenceLocator", purl}}});
}

json relationship(const std::string& from, const char* type, const std::string& to) {
  return {{"spdxElementId", from}, {"relationshipType", type}, {"relatedSpdxElement", to}};
}

// Which file states it, and where that came from.
std::string source_info(const Package& package, const PackageLayer& layer) {
  std::string text = fmt::format("stated by /{}; from layer {}", package.locations.front(), layer.diff_id.str());
  if (!layer.created_by.empty()) text += fmt::format(", made by: {}", layer.created_by);
  return text;
}

json package_element(const Package& package, const PackageLayer& layer, const LicenceTerms& licence) {
  json element = {{"SPDXID", spdx_id(package)},
                  {"name", package.stated.name},
                  {"versionInfo", package.stated.version},
                  {"downloadLocation", kUnstated},
                  {"filesAnalyzed", false},
                  {"licenseConcluded", kUnstated},
                  {"licenseDeclared", licence.expression.empty() ? kUnstated : licence.expression},
                  {"copyrightText", kUnstated},
                  {"sourceInfo", source_info(package, layer)},
                  {"externalRefs", purl_reference(package.purl)}};
  return element;
}

// Of the path, so that the same file has the same name in every document.
std::string file_id(const PackagedFile& file) {
  return fmt::format("SPDXRef-File-{}", oci::sha256_of(file.path).hex().substr(0, 24));
}

json file_element(const PackagedFile& file) {
  return {{"SPDXID", file_id(file)},
          {"fileName", "./" + file.path},
          {"checksums", json::array({{{"algorithm", "SHA256"}, {"checksumValue", file.content.hex()}}})},
          {"licenseConcluded", kUnstated},
          {"copyrightText", kUnstated}};
}

json image_element(const SbomSubject& subject) {
  return {{"SPDXID", kImageElement},
          {"name", subject.name},
          {"versionInfo", subject.manifest.str()},
          {"primaryPackagePurpose", "CONTAINER"},
          {"downloadLocation", kUnstated},
          {"filesAnalyzed", false},
          {"licenseConcluded", kUnstated},
          {"licenseDeclared", kUnstated},
          {"copyrightText", kUnstated},
          {"checksums", json::array({{{"algorithm", "SHA256"}, {"checksumValue", subject.manifest.hex()}}})},
          {"externalRefs", purl_reference(image_url(subject))}};
}

}  // namespace

std::string spdx_json(const SbomSubject& subject, const ImagePackages& packages) {
  json elements = json::array({image_element(subject)});
  json relationships = json::array({relationship("SPDXRef-DOCUMENT", "DESCRIBES", kImageElement)});
  std::map<std::string, std::string> by_purl;  // the first element of each
  for (const Package& package : packages.packages) by_purl.emplace(package.purl, spdx_id(package));
  std::map<std::string, std::string> licences;
  for (const Package& package : packages.packages) {
    const LicenceTerms licence = licence_terms(package.stated.licence);
    licences.insert(licence.references.begin(), licence.references.end());
    elements.push_back(package_element(package, packages.layers.at(package.layer), licence));
    const auto whole = package.part_of ? by_purl.find(*package.part_of) : by_purl.end();
    relationships.push_back(
        relationship(whole == by_purl.end() ? kImageElement : whole->second, "CONTAINS", spdx_id(package)));
  }
  json files = json::array();
  for (const PackagedFile& file : packages.files) {
    files.push_back(file_element(file));
    const std::string owner = file.package ? spdx_id(packages.packages[*file.package]) : kImageElement;
    relationships.push_back(relationship(owner, "CONTAINS", file_id(file)));
  }
  json document = {{"spdxVersion", "SPDX-2.3"},
                   {"dataLicense", "CC0-1.0"},
                   {"SPDXID", "SPDXRef-DOCUMENT"},
                   {"name", subject.name},
                   {"documentNamespace", fmt::format("https://spdx.org/spdxdocs/kiln-{}/{}-{}", subject.tool_version,
                                                     subject.manifest.algorithm(), subject.manifest.hex())},
                   {"creationInfo",
                    {{"created", format_rfc3339(subject.created)},
                     {"creators", json::array({fmt::format("Tool: kiln-{}", subject.tool_version)})}}},
                   {"packages", elements},
                   {"relationships", relationships}};
  if (!files.empty()) document["files"] = std::move(files);
  json extracted = json::array();
  for (const auto& [id, words] : licences)
    extracted.push_back({{"licenseId", id}, {"name", words}, {"extractedText", words}});
  if (!extracted.empty()) document["hasExtractedLicensingInfos"] = extracted;
  return json_text(document, JsonLayout::indented) + "\n";
}

}  // namespace kiln
