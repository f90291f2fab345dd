"""`memreader models`."""
import typer
app = typer.Typer()
