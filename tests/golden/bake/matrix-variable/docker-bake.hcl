variable "VERSIONS" {
  default = ["3.11", "3.12"]
}
target "py" {
  matrix = { v = VERSIONS }
  name = "py${replace(v, ".", "")}"
  tags = ["acme/py:${v}"]
}
