target "default" {
  args            = { A = "1", B = "2" }
  labels          = { "dev.acme.team" = "tools" }
  contexts        = { src = "docker-image://ghcr.io/acme/src" }
  tags            = ["ghcr.io/acme/app:1"]
  target          = "first"
  no-cache-filter = ["first"]
}
