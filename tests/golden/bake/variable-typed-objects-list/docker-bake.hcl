variable "L" {
  type = list(object({ name = string, opts = optional(map(string)), deep = optional(object({ x = optional(number) })) }))
  default = [{ name = "a" }, { name = "b", opts = { k = 1 }, deep = {} }]
  validation {
    condition = length(L) > 0 && length([for l in L : l if l.name == ""]) == 0
    error_message = "each has a name: ${join(",", L[*].name)}"
  }
}
target "t" {
  matrix = { item = L }
  name = "t-${item.name}"
  args = { for k, v in coalesce(item.opts, {}) : "O_${upper(k)}" => v }
  labels = item.deep == null ? {} : { deep = item.deep.x == null ? "none" : "some" }
}
group "default" { targets = ["t"] }
