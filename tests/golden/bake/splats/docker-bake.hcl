variable "L" {
  default = [{ n = "a" }, { n = "b" }]
}
target "default" {
  tags = L[*].n
  no-cache-filter = L.*.n
}
