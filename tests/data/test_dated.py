"""Import of dated rasters: small made ones for every rule and every refusal."""

import geopandas
import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from seco.data.clouds import CloudRule
from seco.data.dated_files import date_in_name, find_dated_files
from seco.data.import_dated import import_dated
from seco.data.merge import merge_stores
from seco.data.store import open_store
from seco.errors import ConfigError, DataError, StoreError

NAMES = ("B02", "B03", "B04")
TRANSFORM = Affine(10, 0, 500_000, 0, -10, 4_649_970)


def write_raster(
    path, pixels=None, *, names=NAMES, transform=TRANSFORM, crs="EPSG:32631", nodata=None, units=None, mask=None, **options
):
    pixels = clear() if pixels is None else pixels
    count, height, width = pixels.shape
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path,
            "w",
            driver="GTiff",
            dtype=pixels.dtype.name,
            count=count,
            height=height,
            width=width,
            crs=crs,
            transform=transform,
            nodata=nodata,
            **{"photometric": "minisblack", **options},
        ) as dataset,
    ):
        dataset.write(pixels)
        if mask is not None:
            dataset.write_mask(mask)
        if units:
            dataset.scales, dataset.offsets = ([number] * count if np.isscalar(number) else number for number in units)
        if names:
            dataset.descriptions = names


def clear(seed=0, bands=3):
    return np.random.default_rng(seed).integers(300, 500, (bands, 20, 30)).astype(np.int16)


@pytest.fixture
def series(tmp_path):
    """Three clear dates."""
    source = tmp_path / "place"
    source.mkdir()
    for seed, date in enumerate(("2020-06-21", "2020-01-13", "2021-03-08")):
        write_raster(source / f"place_{date}.tif", clear(seed))
    return source


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Boadella_2020-06-21.tif", "2020-06-21T00:00:00"),
        ("S2A_20180204_T31.tif", "2018-02-04T00:00:00"),
        ("T31TDH_20200621T103629_B02.tif", "2020-06-21T10:36:29"),
        ("tile_99999999_20200621.tif", "2020-06-21T00:00:00"),  # eight digits that are no date
        ("orbit_120200621.tif", None),  # inside a longer number
        ("place_2020_06_21.tif", "2020-06-21T00:00:00"),
        ("place.2020.06.21.tif", "2020-06-21T00:00:00"),
        ("20200621_103629_ssc4.tif", "2020-06-21T10:36:29"),
        ("20200621103629.tif", "2020-06-21T10:36:29"),
        ("2020-06-21T10-36-29.tif", "2020-06-21T10:36:29"),
        ("20200621_998877.tif", "2020-06-21T00:00:00"),  # behind it is no time
        ("site10010111_2020-01-05.tif", "2020-01-05T00:00:00"),  # no satellite was there in 1001
        ("plan_20990101.tif", None),
        ("2020-02-30.tif", None),
        ("mosaic.tif", None),
    ],
)
def test_date_is_found_in_the_name(name, expected):
    assert date_in_name(name) == (None if expected is None else np.datetime64(expected))


def test_patches_lie_where_the_raster_says(series, tmp_path):
    report = import_dated(str(series), str(tmp_path / "store"), patch_size=8)
    assert (report.locations, report.patches, report.margin) == (6, 18, (6, 4))
    store = open_store(tmp_path / "store")
    assert store.locations["id"].tolist() == [
        f"place-{number}" for number in ("000000", "000001", "000002", "001000", "001001", "001002")
    ]
    frame = geopandas.read_parquet(tmp_path / "store/index.parquet")
    assert frame["scene_id"].tolist()[:3] == ["place_2020-01-13", "place_2020-06-21", "place_2021-03-08"]
    with rasterio.open(series / "place_2020-06-21.tif") as source, rasterio.open(store.sources(5)[1]) as patch:
        assert patch.transform.to_gdal() == (500_160.0, 10.0, 0.0, 4_649_890.0, 0.0, -10.0)
        assert patch.crs == source.crs
        np.testing.assert_array_equal(patch.read(), source.read()[:, 8:16, 16:24])
    utm = frame.to_crs(32631).geometry
    # A millimetre in degrees and back: PROJ promises less than 1 mm within a zone.
    assert utm.x.iloc[-1] == pytest.approx(500_200.0, abs=1e-3)
    assert utm.y.iloc[-1] == pytest.approx(4_649_850.0, abs=1e-3)


def test_places_with_names_of_their_own_are_merged(series, tmp_path):
    other = series.rename(tmp_path / "Łąka 2")
    import_dated(other, tmp_path / "first", patch_size=8)
    import_dated(other.rename(tmp_path / "Pré"), tmp_path / "second", patch_size=10)
    import_dated(tmp_path / "Pré", tmp_path / "third", patch_size=8)
    with pytest.raises(StoreError, match="patch_size 8"):
        merge_stores([open_store(tmp_path / name) for name in ("first", "second")], tmp_path / "both")
    assert merge_stores([open_store(tmp_path / name) for name in ("first", "third")], tmp_path / "both") == 12
    both = open_store(tmp_path / "both")
    assert (both.locations["id"][0], both.locations["id"][-1]) == ("-aka-2-000000", "Pre-001002")
    assert both.description.source == "dated rasters of the folder Łąka 2; dated rasters of the folder Pré"


def test_stride_makes_patches_overlap(series, tmp_path):
    report = import_dated(series, tmp_path / "store", patch_size=8, stride=4)
    assert report.locations == 4 * 6
    assert report.margin == (2, 0)


@pytest.mark.parametrize("nodata", [-9999, None])
def test_nodata_becomes_zero_and_what_is_darker_than_black_does_not(tmp_path, nodata):
    for date, value in (("2020-01-01", -5), ("2020-06-01", -9999)):
        pixels = clear()
        pixels[0, 0, 0] = value
        write_raster(tmp_path / f"{date}.tif", pixels, nodata=nodata)
    import_dated(tmp_path, tmp_path / "store", patch_size=16)
    # Where a file says what its nodata is, another negative number is none.
    for file, expected in zip(open_store(tmp_path / "store").sources(0), (nodata is not None, 0), strict=True):
        with rasterio.open(file) as dataset:
            pixels = dataset.read()
        assert pixels.dtype == np.uint16
        assert pixels[0, 0, 0] == expected
        np.testing.assert_array_equal(pixels.ravel()[1:], clear()[:, :16, :16].ravel()[1:])


@pytest.mark.parametrize(("dtype", "patches"), [(np.uint16, 4), (np.uint8, 6)])
def test_patches_with_an_empty_band_are_left_out(tmp_path, dtype, patches):
    """Of 8 bits it may be dark water."""
    for month in (1, 4, 7):
        pixels = (clear() - 299).clip(1, 200).astype(dtype)
        if month == 4:
            pixels[1] = 0
        write_raster(tmp_path / f"2021-{month:02}-01.tif", pixels)
    report = import_dated(tmp_path, tmp_path / "store", patch_size=15, quantification=1e4)
    assert report.patches == patches


def test_of_several_dates_in_the_names_those_count_that_differ(tmp_path):
    for name in ("parcel_20011105_2020-01-05", "parcel_20011105_2020-04-05"):
        write_raster(tmp_path / f"{name}.tif")
    assert [str(time)[:10] for time in find_dated_files(tmp_path)] == ["2020-01-05", "2020-04-05"]
    write_raster(tmp_path / "parcel_20011106_2020-01-05.tif")
    with pytest.raises(DataError, match=r"expected one raster a date, got parcel_20011105_2020-0\d-05\.tif of 2001-11-05T"):
        find_dated_files(tmp_path)


def test_dates_of_folders_are_no_dates_of_files(tmp_path):
    (tmp_path / "2020-01-05").mkdir()
    write_raster(tmp_path / "2020-01-05" / "image.tif")
    with pytest.raises(DataError, match=r"the date belongs into the name of the file: rename .*image\.tif"):
        find_dated_files(tmp_path)


def test_places_with_other_letters_keep_names_of_their_own(series, tmp_path):
    names = []
    for place in ("Zürich 2", "Zärich 2"):
        series.rename(tmp_path / place)
        series = tmp_path / place
        import_dated(series, tmp_path / f"store of {place}", patch_size=20)
        names += open_store(tmp_path / f"store of {place}").locations["id"].tolist()
    assert names == ["Zurich-2-000000", "Zarich-2-000000"]


def test_a_folder_is_no_raster(series):
    (series / "place_2021-09-09.tif").mkdir()
    assert len(find_dated_files(series)) == 3


def test_patches_with_nodata_are_left_out_and_counted(series, tmp_path):
    for date, columns in (("2020-06-21", slice(0, 10)), ("2021-03-08", slice(0, 1))):
        pixels = clear()
        pixels[:, :, columns] = 0
        write_raster(series / f"place_{date}.tif", pixels)
    report = import_dated(series, tmp_path / "store", patch_size=10)
    # The left column of two patches keeps one date of three: both locations go.
    assert (report.locations, report.dropped_locations) == (4, 2)
    assert (report.patches, report.dropped_patches) == (12, 6)


def test_cloudy_date_is_rejected_and_fractions_are_stored(series, tmp_path):
    covered, corner = clear(5), clear(6)
    covered[:, :, :9] += 2000  # 30 % of the date
    corner[:, :4, :4] += 2000  # a quarter of the first patch of 8 x 8 px
    write_raster(series / "place_2020-09-01.tif", covered)
    write_raster(series / "place_2020-10-01.tif", corner)
    report = import_dated(series, tmp_path / "store", patch_size=8, cloud_rule=CloudRule(max_fraction=0.2))
    judged = {str(date.time)[:10]: (round(date.cloud_fraction, 4), date.kept) for date in report.dates}
    assert judged["2020-09-01"] == (0.3, False)
    assert judged["2020-10-01"] == (round(16 / 600, 4), True)
    assert judged["2020-06-21"] == (0.0, True)
    frame = geopandas.read_parquet(tmp_path / "store/index.parquet")
    clouds = frame.loc[frame["scene_id"] == "place_2020-10-01", "cloud_fraction"].tolist()
    assert clouds == [0.25, 0, 0, 0, 0, 0]


def test_cloud_fractions_of_patches_that_lie_in_several_strips(series, tmp_path, monkeypatch):
    monkeypatch.setattr("seco.data.import_dated.ROWS_AT_ONCE", 3)
    covered = clear(6)
    cloudy = np.random.default_rng(7).random((20, 30)) < 0.1
    covered[:, cloudy] += 2000
    write_raster(series / "place_2020-10-01.tif", covered)
    report = import_dated(series, tmp_path / "store", patch_size=8, stride=5, cloud_rule=CloudRule(max_fraction=0.2))
    frame = geopandas.read_parquet(tmp_path / "store/index.parquet")
    clouds = frame.loc[frame["scene_id"] == "place_2020-10-01", "cloud_fraction"].to_numpy().reshape(3, 5)
    expected = [[cloudy[row : row + 8, column : column + 8].mean() for column in range(0, 23, 5)] for row in range(0, 13, 5)]
    np.testing.assert_allclose(clouds, expected, rtol=1e-6)
    assert [date.cloud_fraction for date in report.dates] == pytest.approx([0, 0, cloudy.mean(), 0])


def test_without_a_rule_clouds_are_unknown(series, tmp_path):
    report = import_dated(series, tmp_path / "store", patch_size=8)
    assert all(date.kept and np.isnan(date.cloud_fraction) for date in report.dates)
    assert geopandas.read_parquet(tmp_path / "store/index.parquet")["cloud_fraction"].isna().all()


@pytest.mark.parametrize(("count", "level", "first"), [(12, "L2A", "B01"), (13, "L1C", "B01")])
def test_bands_without_descriptions_are_told_by_their_number(tmp_path, count, level, first):
    for date in ("2020-01-01", "2020-06-01"):
        write_raster(tmp_path / f"{date}.tif", clear(bands=count), names=None)
    import_dated(tmp_path, tmp_path / "store", patch_size=10)
    store = open_store(tmp_path / "store")
    assert (len(store.bands), store.description.product_level, store.band_names[0]) == (count, level, first)


def test_names_of_bands_may_be_given(series, tmp_path):
    import_dated(series, tmp_path / "store", patch_size=10, band_names=["B8", "B11", "B12"])
    assert open_store(tmp_path / "store").band_names == ("B08", "B11", "B12")


@pytest.mark.parametrize(
    ("crs", "pixel", "metres"), [("EPSG:32631", 30, 30), ("EPSG:2263", 100, 30.48006), ("EPSG:4326", 2.5e-4, 27.8)]
)
def test_a_store_knows_the_size_of_a_pixel_and_the_level(tmp_path, crs, pixel, metres):
    for date in ("2020-01-01", "2020-06-01"):
        write_raster(tmp_path / f"{date}.tif", crs=crs, transform=Affine(pixel, 0, 10, 0, -pixel, 40))
    import_dated(tmp_path, tmp_path / "store", patch_size=10, level="L1C")
    description = open_store(tmp_path / "store").description
    assert description.resolution_m == pytest.approx(metres, rel=1e-3)
    assert (description.product_level, description.patch_size) == ("L1C", 10)


def test_units_are_looked_at_before_pixels(tmp_path):
    with pytest.raises(ConfigError, match="quantification: expected a positive number, got 0"):
        import_dated(tmp_path / "not there", tmp_path / "store", patch_size=10, quantification=0)
    with pytest.raises(ConfigError, match="offset: expected a number, got nan"):
        import_dated(tmp_path / "not there", tmp_path / "store", patch_size=10, offset=float("nan"))


def test_order_of_bands_may_be_given_and_need_not_be_described(series, tmp_path):
    write_raster(series / "place_2019-01-01.tif", names=("B04", "B03", "B02"))
    import_dated(series, tmp_path / "given", patch_size=10, band_names=NAMES)
    write_raster(series / "place_2019-01-01.tif", names=("b2", "B3", "B04"))  # alike, spelt otherwise
    for silent in (None, ("B02", "", "")):
        write_raster(series / "place_2022-01-01.tif", names=silent)
        import_dated(series, tmp_path / f"described {silent}", patch_size=10)
    for file in series.iterdir():
        write_raster(file, names=None)
    write_raster(series / "place_2021-03-08.tif")
    with pytest.raises(DataError, match="got 3 without descriptions; describe them in the files, or name them"):
        import_dated(series, tmp_path / "silent", patch_size=10)


def test_scale_and_offset_have_to_say_what_is_stated(series, tmp_path):
    file = series / "place_2020-06-21.tif"  # the other dates say nothing
    write_raster(file, units=(1e-4, -0.1))
    message = (
        f"^{file}: expected scale and offset as --quantification 10000 --offset 0 say, "
        "got scale 0.0001 and offset -0.1; give --quantification 10000 --offset -1000$"
    )
    with pytest.raises(DataError, match=message):
        import_dated(series, tmp_path / "store", patch_size=8)
    import_dated(series, tmp_path / "store", patch_size=8, offset=-1000)
    write_raster(file, units=(2.75e-5, -0.2))
    with pytest.raises(DataError, match=r"; give --quantification 36363\.6 --offset -7272\.73$"):
        import_dated(series, tmp_path / "other", patch_size=8)
    import_dated(series, tmp_path / "other", patch_size=8, quantification=36363.6, offset=-7272.73)
    write_raster(file, units=(1, -1000))  # nothing of the quantification
    with pytest.raises(DataError, match=r"got scale 1 and offset -1000; give --quantification 5000 --offset -1000$"):
        import_dated(series, tmp_path / "third", patch_size=8, quantification=5000)


def test_dates_of_other_scale_or_offset_are_refused(series, tmp_path):
    early, late = series / "place_2020-06-21.tif", series / "place_2021-03-08.tif"
    write_raster(early, units=(1e-4, 0))
    write_raster(late, units=(1e-4, -0.1))
    message = (
        f"^{late}: expected scale 0.0001 and offset 0 like {early}, got scale 0.0001 and offset -0.1; bring them to one"
    )
    with pytest.raises(DataError, match=message):
        import_dated(series, tmp_path / "store", patch_size=8, offset=-1000)


def test_masked_pixels_are_nodata(series, tmp_path):
    mask = np.full((20, 30), 255, np.uint8)
    mask[3, 4] = 0
    for date in ("2020-06-21", "2021-03-08"):
        write_raster(series / f"place_{date}.tif", clear(), mask=mask, nodata=-1)
    report = import_dated(series, tmp_path / "store", patch_size=10, cloud_rule=CloudRule())
    assert (report.dropped_locations, report.dropped_patches) == (1, 3)
    assert "place-000000" not in open_store(tmp_path / "store").locations["id"].tolist()


def test_a_fourth_band_that_gdal_takes_for_alpha_is_a_band(tmp_path):
    for seed, date in enumerate(("2020-01-01", "2020-06-01")):
        pixels = clear(seed, bands=4).astype(np.uint8)
        pixels[3, 0, 0] = 0
        write_raster(tmp_path / f"{date}.tif", pixels, names=(*NAMES, "B08"), photometric="rgb", alpha="yes")
    with pytest.raises(ConfigError, match="quantification: expected the number that reflectance 1 has in the 8 bits"):
        import_dated(tmp_path, tmp_path / "store", patch_size=10)
    assert import_dated(tmp_path, tmp_path / "store", patch_size=10, quantification=255).dropped_patches == 0


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ({"pixels": clear()[:, :19]}, r"expected size \(30, 20\) like the others, got \(30, 19\)"),
        ({"crs": "EPSG:32632"}, "expected CRS EPSG:32631 like the others, got EPSG:32632"),
        ({"transform": Affine(10, 0, 500_010, 0, -10, 4_649_970)}, "expected transform"),
        ({"pixels": clear(bands=2), "names": NAMES[:2]}, "expected band count 3 like the others, got 2"),
        ({"pixels": clear().astype(np.uint16)}, "expected type int16 like the others, got uint16"),
        ({"names": ("B04", "B03", "B02")}, "expected bands B02,B03,B04 like the others, got B04,B03,B02; bring"),
    ],
)
def test_raster_that_does_not_fit_is_named(series, tmp_path, odd, message):
    write_raster(series / "place_2019-01-01.tif", **odd)  # odd although it is the first
    with pytest.raises(DataError, match=f"^{series}/place_2019-01-01.tif: {message}"):
        import_dated(series, tmp_path / "store", patch_size=8)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("raster", "message"),
    [
        ({"pixels": clear().astype(np.float32)}, "expected type uint8, int16, uint16, got float32"),
        ({"crs": None}, "expected a CRS with an EPSG code, got None"),
        ({"names": None}, "got 3 without descriptions; describe them in the files, or name them"),
        ({"names": ("B02", "B03", "NIR")}, "expected 3 names of Sentinel-2 bands, got 'NIR'"),
        ({"pixels": clear(bands=13), "names": None, "alpha": "yes"}, r"/2020-01-01.tif: .*, got an alpha channel; make it"),
        ({"units": ([1e-4, 1e-4, 2e-4], 0)}, r"/2020-01-01.tif: .*, got 0.0001 with 0, 0.0002 with 0; convert it"),
        ({"units": (-1, 0)}, r"expected one scale above 0 and one offset of all bands, got -1 with 0; convert it"),
    ],
)
def test_rasters_that_cannot_be_told_are_refused(tmp_path, raster, message):
    for date in ("2020-01-01", "2020-06-01"):
        write_raster(tmp_path / f"{date}.tif", **raster)
    with pytest.raises(DataError, match=message):
        import_dated(tmp_path, tmp_path / "store", patch_size=8)


def test_wrong_number_of_band_names_is_refused(series, tmp_path):
    with pytest.raises(DataError, match="expected 3 names of Sentinel-2 bands, got 2 names"):
        import_dated(series, tmp_path / "store", patch_size=8, band_names=["B02", "B03"])


def test_folder_must_hold_dated_rasters(series, tmp_path):
    with pytest.raises(DataError, match="expected a folder of dated GeoTIFFs, got no such folder"):
        import_dated(tmp_path / "nowhere", tmp_path / "store", patch_size=8)
    with pytest.raises(DataError, match="got a file; name its folder"):
        import_dated(next(series.iterdir()), tmp_path / "store", patch_size=8)
    with pytest.raises(DataError, match=r"got 0; import a place at a time, such as .*place, then seco merge"):
        import_dated(series.parent, tmp_path / "store", patch_size=8)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected two or more dated GeoTIFFs, got 0"):
        import_dated(tmp_path / "empty", tmp_path / "store", patch_size=8)
    write_raster(series / "again_20200621.tif")
    with pytest.raises(DataError, match=rf"^{series}/place_2020-06-21.tif: expected one raster a date, got again_2"):
        import_dated(series, tmp_path / "store", patch_size=8)
    write_raster(series / "mosaic.tif")
    with pytest.raises(DataError, match=rf"^{series}/mosaic.tif: expected a date in the name"):
        import_dated(series, tmp_path / "store", patch_size=8)


def test_unreadable_raster_is_named_and_nothing_stays(series, tmp_path):
    file = series / "place_2021-03-08.tif"
    write_raster(file, clear(2), compress="deflate")
    content = file.read_bytes()
    middle = len(content) // 2
    spoilt = content[: middle - 300] + b"U" * 600 + content[middle + 300 :]
    # Not opened, opened in vain as it is short, and opened.
    for damaged, why in ((b"no raster", "not recog"), (content[:-900], "directory"), (spoilt, "band 1: IReadBlock failed")):
        file.write_bytes(damaged)
        with pytest.raises(DataError, match=rf"^{file}: expected a readable GeoTIFF, got [^\n]*{why}[^\n]*$"):
            import_dated(series, tmp_path / "store", patch_size=8)
        assert list(tmp_path.glob("store/*")) == []


def test_too_few_clear_dates_are_refused(tmp_path):
    for date, extra in (("2020-01-01", 0), ("2020-02-01", 3000), ("2020-03-01", 6000)):
        write_raster(tmp_path / f"{date}.tif", clear() + np.int16(extra))
    (tmp_path / "2020-02-01.tif").unlink()
    with pytest.raises(DataError, match="expected two or more dates with at most 20% cloud, got 1 of 2"):
        import_dated(tmp_path, tmp_path / "store", patch_size=8, cloud_rule=CloudRule())
    assert not (tmp_path / "store").exists()


def test_cloud_rule_needs_blue(tmp_path):
    for date in ("2020-01-01", "2020-06-01"):
        write_raster(tmp_path / f"{date}.tif", names=("B03", "B04", "B08"))
    with pytest.raises(DataError, match="expected band B02 to see clouds, got B03,B04,B08; use --cloud 100"):
        import_dated(tmp_path, tmp_path / "store", patch_size=8, cloud_rule=CloudRule())


def test_sizes_out_of_range_are_refused(series, tmp_path):
    with pytest.raises(ConfigError, match=r"patch_size: expected 1 to 20.* got 21"):
        import_dated(series, tmp_path / "store", patch_size=21)
    with pytest.raises(ConfigError, match="stride: expected a positive number of pixels, got 0"):
        import_dated(series, tmp_path / "store", patch_size=8, stride=0)


def test_folder_in_use_is_refused_before_work_and_nobody_is_told_to_delete_it(series, tmp_path):
    with pytest.raises(StoreError, match=r"expected a new or empty folder, got one in use; choose another$"):
        import_dated(series, series, patch_size=8)
    with pytest.raises(DataError, match="nowhere"):  # of swapped arguments, the one that is not there
        import_dated(tmp_path / "nowhere", series, patch_size=8)
