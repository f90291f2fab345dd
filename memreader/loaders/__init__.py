"""tmp"""
from pathlib import Path
from dataclasses import dataclass
from memreader.document import *
@dataclass
class Opened:
    documents: list
    skipped: list
def open_documents(sources, **k):
    out=[]
    for s in sources:
        raw=Path(s).read_bytes()
        if raw[:4]==b'%PDF':
            import pypdfium2
            pdf=pypdfium2.PdfDocument(raw)
            def pieces(pdf=pdf):
                for i in range(len(pdf)):
                    yield Piece(pdf[i].get_textpage().get_text_range().replace('\r\n','\n').replace('\x02','')+'\n', pdf.get_page_label(i) or str(i+1))
            out.append(Arriving(content_hash(raw),str(s),pieces()))
        else: out.append(Arriving.of(Document(raw.decode(),str(s))))
    return Opened(out,[])
