"""The architectures that tilesweep brings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from trainables.models.architecture import Architecture

SEGFORMER_BYTES = (14_859_660, 54_712_076, 98_891_532, 178_394_892, 245_477_132, 327_878_412)
"""Of the checkpoints of B0 to B5."""

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Architecture(
                name="unet",
                title="U-Net from scratch",
                track="cnn",
                needs="none",
                factory="trainables.models.unet:build_unet",
                known_bytes={"full": 31_075_860, "tiny": 491_460},
            ),
            Architecture(
                name="smp_unet_resnet34",
                title="SMP U-Net + ResNet34",
                track="cnn",
                needs="imagenet-resnet34",
                factory="trainables.models.smp:build_unet_resnet34",
                known_bytes={"full": 97_821_876, "tiny": 654_148},
            ),
            Architecture(
                name="smp_deeplabv3plus_resnet34",
                title="SMP DeepLabV3+ + ResNet34",
                track="cnn",
                needs="imagenet-resnet34",
                factory="trainables.models.smp:build_deeplabv3plus_resnet34",
                known_bytes={"full": 89_835_052, "tiny": 433_756},
            ),
            Architecture(
                name="sam_vit_b_conv",
                title="SAM ViT-B frozen + conv decoder",
                track="sam",
                needs="sam-vit-b",
                fixed_encoder=True,
                factory="trainables.models.sam:build_sam_conv",
                known_bytes={"full": 5_137_604, "tiny": 59_236},
            ),
            Architecture(
                name="sam_vit_b_unet",
                title="SAM ViT-B frozen + U-Net decoder",
                track="sam",
                needs="sam-vit-b",
                fixed_encoder=True,
                factory="trainables.models.sam:build_sam_unet",
                known_bytes={"full": 25_093_940, "tiny": 99_044},
            ),
            Architecture(
                name="smp_unet_efficientnet_lite0",
                title="SMP U-Net + EfficientNet-Lite0",
                track="cnn",
                needs="imagenet-efficientnet-lite0",
                factory="trainables.models.smp:build_unet_efficientnet_lite0",
                known_bytes={"full": 20_958_868, "tiny": 654_148},
            ),
            Architecture(
                name="unet_bilinear",
                title="U-Net from scratch, bilinear upsampling",
                track="cnn",
                needs="none",
                factory="trainables.models.unet:build_unet_bilinear",
                known_bytes={"full": 34_557_460, "tiny": 545_860},
            ),
            Architecture(
                name="resnet34_unet",
                title="ResNet34 U-Net, transposed convolutions",
                track="cnn",
                needs="imagenet-resnet34",
                factory="trainables.models.resnet_unet:build_resnet34_unet",
                known_bytes={"full": 97_883_508, "tiny": 660_932},
            ),
            Architecture(
                name="torchvision_deeplabv3_resnet50",
                title="torchvision DeepLabV3 + ResNet50",
                track="cnn",
                needs="imagenet-resnet50",
                factory="trainables.models.torchvision_deeplab:build_deeplabv3_resnet50",
                known_bytes={"full": 168_204_528, "tiny": 735_448},
            ),
            *(
                Architecture(
                    name=f"segformer_b{size}",
                    title=f"SegFormer-B{size}",
                    track="cnn",
                    transformer=True,
                    needs=f"imagenet:mit_b{size}",
                    factory="trainables.models.smp_family:build_segformer",
                    known_bytes={"full": full, "tiny": 382_684},
                )
                for size, full in enumerate(SEGFORMER_BYTES)
            ),
            Architecture(
                name="mobile_sam_conv",
                title="MobileSAM frozen + conv decoder",
                track="sam",
                needs="mobile-sam",
                fixed_encoder=True,
                factory="trainables.models.mobile_sam:build_mobile_sam_conv",
                known_bytes={"full": 5_137_604, "tiny": 59_236},
            ),
            Architecture(
                name="sam_vit_b_unet_lora",
                title="SAM ViT-B with LoRA + U-Net decoder",
                track="sam",
                needs="sam-vit-b",
                factory="trainables.models.sam_lora:build_sam_unet_lora",
                known_bytes={"full": 26_273_588, "tiny": 148_196},
                extra="lora",
                packages=("peft",),
            ),
            Architecture(
                name="sam2_hiera_t_conv",
                title="SAM 2 Hiera-T frozen + conv decoder",
                track="sam",
                needs="sam2-hiera-t",
                fixed_encoder=True,
                factory="trainables.models.sam2:build_sam2_hiera_t_conv",
                known_bytes={"full": 5_137_604, "tiny": 59_236},
                extra="sam2",
                packages=("sam2",),
            ),
        )
    }
)
