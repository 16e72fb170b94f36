target "default" {
  attest = [
    { type = "provenance", mode = "max" },
    { type = "sbom", disabled = true },
  ]
  cache-from = [{ type = "registry", ref = "r.io/c" }]
  cache-to = [{ type = "s3", bucket = "b", region = "r" }]
  output = [
    { type = "oci", dest = "x.tar" },
    { type = "docker" },
  ]
}
