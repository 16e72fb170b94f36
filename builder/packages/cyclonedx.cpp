// CycloneDX 1.6 (cyclonedx.org/docs/1.6/json): the image is what the bill is about, its packages are the components.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/packages/licence.hpp"
#include "builder/packages/sbom.hpp"

namespace kiln {

namespace {

using nlohmann::json;

// A UUID made of a digest, so that the same bill has the same number (RFC 9562, 5.8: version 8, made as one likes).
std::string serial_number(const SbomSubject& subject) {
  std::string hex(oci::sha256_of(subject.manifest.str() + " " + subject.tool_version).hex());
  hex[12] = '8';
  hex[16] = '8';
  return fmt::format("urn:uuid:{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                     hex.substr(16, 4), hex.substr(20, 12));
}

json property(const char* name, std::string value) { return {{"name", name}, {"value", std::move(value)}}; }

json licences_of(const std::string& stated) {
  const LicenceTerms terms = licence_terms(stated);
  if (terms.is_identifier()) return json::array({{{"license", {{"id", terms.expression}}}}});
  if (terms.is_known()) return json::array({{{"expression", terms.expression}}});
  return json::array({{{"license", {{"name", stated}}}}});
}

// By which Trivy knows a binary package's vulnerabilities: those of Debian and Alpine are recorded by source package.
void add_source(json& properties, const StatedPackage& package) {
  if (package.ecosystem != Ecosystem::deb && package.ecosystem != Ecosystem::apk) return;
  properties.push_back(property("aquasecurity:trivy:SrcName", package.source.empty() ? package.name : package.source));
  properties.push_back(property("aquasecurity:trivy:SrcVersion",
                                package.source_version.empty() ? package.version : package.source_version));
}

// The system that the packages are of, without which a scanner knows no vulnerabilities of Debian's or Alpine's.
json component_of(const Distribution& distribution) {
  json component = {{"type", "operating-system"}, {"bom-ref", "operating-system"}, {"name", distribution.id}};
  if (!distribution.version.empty()) component["version"] = distribution.version;
  return component;
}

json component_of(const Package& package, const PackageLayer& layer) {
  json component = {{"type", "library"},
                    {"bom-ref", element_name(package)},
                    {"name", package.stated.name},
                    {"version", package.stated.version},
                    {"purl", package.purl}};
  if (!package.stated.licence.empty()) component["licenses"] = licences_of(package.stated.licence);
  json properties = json::array();
  for (const std::string& location : package.locations) properties.push_back(property("kiln:location", "/" + location));
  properties.push_back(property("kiln:layer:diff_id", layer.diff_id.str()));
  if (!layer.created_by.empty()) properties.push_back(property("kiln:layer:created_by", layer.created_by));
  add_source(properties, package.stated);
  if (package.part_of) properties.push_back(property("kiln:part_of", *package.part_of));
  properties.push_back(property("kiln:unpacked_bytes", std::to_string(package.unpacked_bytes)));
  component["properties"] = properties;
  return component;
}

json file_component(const PackagedFile& file) {
  return {{"type", "file"},
          {"name", "/" + file.path},
          {"hashes", json::array({{{"alg", "SHA-256"}, {"content", file.content.hex()}}})}};
}

}  // namespace

std::string cyclonedx_json(const SbomSubject& subject, const ImagePackages& packages) {
  json components = json::array();
  if (!packages.distribution.id.empty()) components.push_back(component_of(packages.distribution));
  for (const Package& package : packages.packages)
    components.push_back(component_of(package, packages.layers.at(package.layer)));
  // Files are parts of their packages, what is no package's stands beside them.
  for (const PackagedFile& file : packages.files) {
    json& whole = file.package ? components[*file.package]["components"] : components;
    whole.push_back(file_component(file));
  }
  const json tool = {{"type", "application"}, {"name", "kiln"}, {"version", subject.tool_version}};
  const json image = {{"type", "container"},
                      {"bom-ref", "image"},
                      {"name", subject.name},
                      {"version", subject.manifest.str()},
                      {"purl", image_url(subject)}};
  const json document = {{"$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json"},
                         {"bomFormat", "CycloneDX"},
                         {"specVersion", "1.6"},
                         {"serialNumber", serial_number(subject)},
                         {"version", 1},
                         {"metadata",
                          {{"timestamp", format_rfc3339(subject.created)},
                           {"tools", {{"components", json::array({tool})}}},
                           {"component", image}}},
                         {"components", components}};
  return json_text(document, JsonLayout::indented) + "\n";
}

}  // namespace kiln
