variable "T" {
  default = "b"
}
