"""The residual network's recipe as a user of Keras would write it: layers, optimisers and augmentation of Keras' own.

What Keras has no name for is left out: a pass over the hard images takes all of them instead.
"""

from __future__ import annotations

from typing import Any

RATES = {"muon": 4e-3, "sgd": 0.1, "adam": 4e-3}  # what a factor of 1 stands for; Keras scales Muon's like Adam's
SHIFTS = ((0, 0), (1, 1), (-1, -1))


def build_recipe(hp: Any, steps: int) -> Any:
    """Builds and compiles the network.

    Args:
        hp: Of the space "residual_recipe".
        steps: Of the training, at whose end the rate is 0.
    """
    import keras

    inputs = keras.Input((28, 28, 1))
    one_view = _network(hp)
    views = _views(inputs, hp.get("views"))
    logits = keras.layers.Average()([one_view(view) for view in views]) if len(views) > 1 else one_view(inputs)
    model = keras.Model(inputs, keras.layers.Softmax()(logits))
    rate = RATES[hp.get("optimizer")] * hp.get("learning_rate_factor")
    model.compile(
        _optimizer(hp.get("optimizer"), keras.optimizers.schedules.PolynomialDecay(rate, steps, 0.0), hp),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=hp.get("label_smoothing")),
        metrics=[keras.metrics.CategoricalCrossentropy(name="cross_entropy")],
    )
    return model


def _network(hp: Any) -> Any:
    from keras import Model, layers

    def convolve(x: Any, filters: int, padding: str = "same", size: int = 3) -> Any:
        x = layers.Conv2D(filters, size, padding=padding, use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

    inputs = x = layers.Input((28, 28, 1))
    for layer in augmentation(hp):
        x = layer(x)
    x = layers.MaxPooling2D(2)(convolve(x, hp.get("stem_filters"), "valid", hp.get("stem_kernel_size")))
    x = layers.MaxPooling2D(2, padding="same")(convolve(x, hp.get("middle_filters"), "valid"))
    x = convolve(x, hp.get("filters"))
    for _ in range(hp.get("residual_blocks")):
        x = layers.Add()([x, convolve(x, hp.get("filters"))])
    x = convolve(layers.MaxPooling2D(2, padding="same")(x), hp.get("filters"))
    return Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def augmentation(hp: Any) -> list[Any]:
    """Keras' layers, which act in training only."""
    from keras import layers

    filled = {"fill_mode": "constant", "fill_value": 0.0}
    shift, shear, elastic = hp.get("shift_range"), hp.get("shear_range"), hp.get("elastic_range")
    found = {
        "rotation_range": lambda: layers.RandomRotation(hp.get("rotation_range"), **filled),
        "zoom_range": lambda: layers.RandomZoom(hp.get("zoom_range"), **filled),
        "shift_range": lambda: layers.RandomTranslation(shift, shift, **filled),
        "shear_range": lambda: layers.RandomShear(shear, **filled),
        "elastic_range": lambda: layers.RandomElasticTransform(1.0, scale=elastic, value_range=(0, 1), **filled),
        "erasing_range": lambda: layers.RandomErasing(
            1.0, scale=(0.0, hp.get("erasing_range") ** 2), fill_value=0.0, value_range=(0, 1)
        ),
    }
    flips = {"none": [], "horizontal": ["horizontal"], "both": ["horizontal_and_vertical"]}[hp.get("flip")]
    return [*(layers.RandomFlip(mode) for mode in flips), *(make() for name, make in found.items() if hp.get(name))]


def _views(images: Any, name: str) -> list[Any]:
    from keras import layers, ops

    if name == "one":
        return [images]
    if name == "turns":
        return [ops.rot90(images, turns, axes=(1, 2)) for turns in range(4)]
    padded = layers.ZeroPadding2D(1)(images)
    return [layers.Cropping2D(((1 - y, 1 + y), (1 - x, 1 + x)))(padded) for y, x in SHIFTS]


def _optimizer(name: str, rate: Any, hp: Any) -> Any:
    from keras import optimizers

    decay = hp.get("weight_decay")
    if name == "sgd":
        return optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=decay)
    if name == "adam":
        return optimizers.AdamW(rate, weight_decay=decay)
    return optimizers.Muon(rate, weight_decay=decay, adam_weight_decay=decay)
