group "default" {
  targets = ["app", "docs"]
}

target "app" {
  tags = ["ghcr.io/acme/app:1"]
}

target "docs" {
  call   = "check"
  attest = ["type=provenance,mode=max"]
}
