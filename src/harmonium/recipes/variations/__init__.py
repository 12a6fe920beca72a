"""Eight data sets with many factors of variation: deep belief nets beside a support vector machine."""
