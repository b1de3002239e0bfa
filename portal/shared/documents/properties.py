"""What a PDF says about itself: title, issuer and dates as XMP, and which colours its numbers mean.

It is what archives (PDF/A) and screen readers ask of a file beside its pages. How far that goes is
written down in docs/decisions/pdf.md.
"""

from datetime import datetime
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from PIL import ImageCms
from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFStream, PDFString

from portal.core.clock import to_local

CREATOR = "Portal"
PRODUCER = "xhtml2pdf, ReportLab"
_SRGB = "sRGB IEC61966-2.1"
_ICC_DATE = slice(24, 36)
_XMP = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/">
   <dc:format>application/pdf</dc:format>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
   <dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>
   <dc:language><rdf:Bag><rdf:li>ja</rdf:li></rdf:Bag></dc:language>
   <pdf:Producer>{producer}</pdf:Producer>
   <xmp:CreatorTool>{creator}</xmp:CreatorTool>
   <xmp:CreateDate>{created}</xmp:CreateDate>
   <xmp:ModifyDate>{created}</xmp:ModifyDate>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


def describe(canvas: Any, created: datetime) -> None:
    """Give the document of `canvas`, which has its title and author, XMP, colours and a title bar.

    `created` (aware) is written as Tokyo's time.
    """
    canvas.setCreator(CREATOR)
    canvas.setProducer(PRODUCER)
    # PDF/UA: the window's title is the document's, not the name of the file.
    canvas.setViewerPreference("DisplayDocTitle", "true")
    document = canvas._doc
    facts = {
        "title": document.info.title,
        "author": document.info.author,
        "producer": PRODUCER,
        "creator": CREATOR,
        "created": to_local(created).isoformat(timespec="seconds"),
    }
    xmp = _XMP.format_map({name: escape(fact) for name, fact in facts.items()})
    kind = {"Type": PDFName("Metadata"), "Subtype": PDFName("XML")}
    catalog = document.Catalog
    # Without filters: whoever looks a file over for an archive reads it without unpacking it.
    catalog.Metadata = PDFStream(PDFDictionary(kind), xmp.encode(), filters=())
    catalog.OutputIntents = PDFArray([_output_intent(document)])
    # ReportLab writes the entries that it knows, and knows of no output intents.
    catalog.__NoDefault__ = [*catalog.__NoDefault__, "OutputIntents"]


def _output_intent(document: Any) -> PDFDictionary:
    """That the colours on the pages are sRGB, with the profile that defines it."""
    profile = PDFStream(PDFDictionary({"N": 3}), srgb_profile())
    return PDFDictionary(
        {
            "Type": PDFName("OutputIntent"),
            "S": PDFName("GTS_PDFA1"),
            "OutputConditionIdentifier": PDFString(_SRGB),
            "Info": PDFString(_SRGB),
            "DestOutputProfile": document.Reference(profile),
        }
    )


@cache
def srgb_profile() -> bytes:
    """The ICC profile of sRGB, without the moment when it was made: the same each time (COM-72)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # A profile bears the moment of its making, which would make each file another one.
    profile[_ICC_DATE] = bytes(_ICC_DATE.stop - _ICC_DATE.start)
    return bytes(profile)
