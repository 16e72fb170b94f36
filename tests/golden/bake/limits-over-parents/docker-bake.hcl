target "small" {
  shm-size    = "64m"
  ulimits     = ["nofile=1024:2048"]
  extra-hosts = { db = "10.0.0.1" }
  args        = { A = "1", B = "1" }
  labels      = { "com.acme.team" = "a" }
}

target "default" {
  inherits    = ["small"]
  shm-size    = "128m"
  ulimits     = ["core=0", "nofile=4096"]
  extra-hosts = { cache = "10.0.0.2" }
  args        = { B = null, C = "3" }
  labels      = { "com.acme.team" = null }
}
