"""The GPU as torch sees it, or the processor where there is none."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ComputeDevice:
    name: str
    memory_bytes: int
    has_cuda: bool
    cuda_version: str

    def release(self, model: str) -> None:
        """Gives what torch keeps for later back to the driver after a model went."""
        if self.has_cuda:
            import torch

            torch.cuda.empty_cache()


def find_device(memory_when_no_gpu: int) -> ComputeDevice:
    import torch

    version = torch.version.cuda or ""
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        return ComputeDevice(properties.name, properties.total_memory, True, version)
    return ComputeDevice("cpu", memory_when_no_gpu, False, version)
