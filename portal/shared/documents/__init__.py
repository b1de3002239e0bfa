"""Documents as PDF. xhtml2pdf and ReportLab stay inside this package."""
