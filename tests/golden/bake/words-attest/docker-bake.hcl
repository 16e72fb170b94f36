group "default" {
  targets = ["plain", "attested", "off"]
}

target "plain" {}

target "attested" {
  attest = ["type=provenance,mode=min", "type=sbom,generator=ghcr.io/acme/scanner"]
}

target "off" {
  inherits = ["attested"]
  attest   = ["type=sbom,disabled=true"]
}
