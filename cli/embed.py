"""``seco embed``: a vector for every image."""

from pathlib import Path
from typing import Any

import click

from .options import OutputFile, with_options
from .progress import track
from .sources import ENCODED_AT_ONCE, SKIP_BAD, SOURCE_OPTIONS, SPLIT, check_encoder, offering_skip_bad


@click.command()
@with_options((*SOURCE_OPTIONS, ENCODED_AT_ONCE, SPLIT, SKIP_BAD))
@click.option("--out", type=OutputFile(), required=True, help="FILE.parquet or FILE.npy.")
@click.option("--map", "map_file", type=OutputFile(".png"), help="Draw a map in two dimensions to this PNG.")
@click.option("--colour", type=click.Choice(["class", "place", "month"]), help="Of the map.  [the first that there is]")
@click.option("--projection", type=click.Choice(["pca", "umap"]), default="pca", show_default=True, help="Of the map.")
def command(out: Path, map_file: Path | None, colour: str | None, projection: str, **options: Any) -> None:  # noqa: ANN401 - click's values
    """Write a vector for every patch of a STORE.

    With location and date; or one for every file of a folder of classes.

    \b
    $ seco embed --data STORE --checkpoint RUN --out vectors.parquet
    $ seco embed --data STORE --checkpoint RUN --out vectors.npy --map map.png --colour month
    """
    check_encoder(options)
    if map_file is None and colour is not None:
        raise click.UsageError("--colour is for --map; give both or neither.")
    import numpy as np

    from seco.device import resolve_device
    from seco.evaluate.datasets import SplitChoice, open_images
    from seco.evaluate.embed import check_format, describe_rows, write_embeddings
    from seco.evaluate.run import Evaluation
    from seco.evaluate.unreadable import find_unreadable, leave_out
    from seco.report.embedding_map import check_projection, choose_colour, draw_embedding_map

    evaluation = Evaluation(**options | {"bands": options["bands"] or "rgb", "track": track})
    check_format(out)
    choice = SplitChoice(how=evaluation.split, skip_missing=evaluation.skip_bad)
    images = open_images(evaluation.data, split=choice, band_names=evaluation.band_names)
    if map_file is not None:
        check_projection(projection)
        colour = choose_colour(colour, describe_rows(images)(np.arange(1)))
    unreadable = find_unreadable(images, threads=evaluation.threads, track=track) if evaluation.skip_bad else {}
    ((_, subject),) = evaluation.subjects(leave_out(images, list(unreadable)), seeded=[])
    settings: dict[str, Any] = {name: options[name] for name in ("batch_size", "threads")}
    for reason in unreadable.values():
        click.echo(f"Left out: {reason}", err=True)
    settings |= {"unreadable": unreadable, "device": resolve_device(evaluation.device), "track": track}
    with offering_skip_bad(given=evaluation.skip_bad):
        embeddings = write_embeddings(subject, images, out, **settings)
    origin = subject.origin
    click.echo(
        f"{embeddings.total:,} vectors of {embeddings.vectors.shape[1]} numbers, {origin['kind']} {origin['name']} at "
        f"{subject.encoder.size} px; normalisation: {subject.normalization_source}.",
        err=True,
    )
    if map_file is not None and colour is not None:
        name = f"{origin['name']} ({Path(origin['checkpoint']).name if 'checkpoint' in origin else origin['kind']})"
        titles = {"encoder": name, "data": images.path.absolute().name}
        draw_embedding_map(embeddings, map_file, colour=colour, projection=projection, **titles)
        click.echo(f"Wrote {map_file}", err=True)
    click.echo(out)
